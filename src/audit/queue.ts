import type { AccessRecord, AuditEntry } from './record.ts';

/** An entry on its way to the disk. */
export interface Waiting {
  readonly entry: AuditEntry;
  readonly timeUs: number;
  /** Told when the line is durable. Absent: nobody waits. */
  readonly onDurable?: (record: AccessRecord) => void;
  readonly onFailed?: (cause: unknown) => void;
  /** The caller's time is over and it was told so. */
  isLate: boolean;
}

/** First in, first out. */
export interface WaitingQueue {
  readonly length: number;
  push(waiting: Waiting): void;
  /** Removes the oldest that are not late, at most `countMax`. */
  take(countMax: number): Waiting[];
  /** Fails everyone who waits; what nobody waits for stays. */
  fail(cause: unknown): void;
}

export function createWaitingQueue(): WaitingQueue {
  let items: Waiting[] = [];
  return {
    get length() {
      return items.length;
    },
    push(waiting) {
      items.push(waiting);
    },
    take(countMax) {
      const taken = items.slice(0, countMax).filter((each) => !each.isLate);
      items = items.slice(countMax);
      return taken;
    },
    fail(cause) {
      const failed = items.filter((each) => each.onFailed !== undefined);
      items = items.filter((each) => each.onFailed === undefined);
      for (const each of failed) each.onFailed?.(cause);
    },
  };
}
