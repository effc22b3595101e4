import { AuditUnavailable } from './faults.ts';
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

/**
 * Makes an entry somebody waits for, and the promise of its record.
 *
 * @throws {AuditUnavailable} it failed, or was not durable after `waitMsMax` (threats ).
 */
export function awaitDurable(
  entry: AuditEntry,
  timeUs: number,
  waitMsMax: number,
): { readonly waiting: Waiting; readonly record: Promise<AccessRecord> } {
  const { promise, resolve, reject } = Promise.withResolvers<AccessRecord>();
  const timer = setTimeout(() => {
    waiting.isLate = true;
    reject(new AuditUnavailable(new Error(`not durable within ${waitMsMax} ms`)));
  }, waitMsMax);
  const waiting: Waiting = {
    entry,
    timeUs,
    isLate: false,
    onDurable: (record) => {
      clearTimeout(timer);
      resolve(record);
    },
    onFailed: (cause) => {
      clearTimeout(timer);
      reject(new AuditUnavailable(cause));
    },
  };
  return { waiting, record: promise };
}
