import type { Damage } from './damage.ts';
import { identify } from './damage.ts';
import { isMissing } from './disk.ts';
import { listSegments, type Segment, scanSegment, type WalLine } from './wal.ts';

/** What the write-ahead files hold beyond the checkpoint. */
export interface AheadReport {
  readonly damage: Damage | undefined;
  /** Records that are durable and not covered by the checkpoint yet. */
  readonly waiting: number;
  /** Bytes at the ends of segments that are no record: left by a crash, never acknowledged, no damage. */
  readonly tornBytes: number;
}

/**
 * Checks that what waits in the write-ahead files continues each writer's numbers without a hole. It is not signed,
 * so an edit that keeps the form cannot be seen here (design, chapter 3).
 *
 * @param numbers each writer's last number in the log.
 */
export async function checkAhead(
  directory: string,
  node: string,
  numbers: ReadonlyMap<string, number>,
): Promise<AheadReport> {
  let damage: Damage | undefined;
  let waiting = 0;
  let tornBytes = 0;
  for (const [writer, segments] of await listSegments(directory)) {
    const check = new WriterCheck(writer, node, numbers.get(writer) ?? 0);
    for (const segment of segments) tornBytes += await check.segment(segment);
    damage ??= check.damage;
    waiting += check.waiting;
  }
  return { damage, waiting, tornBytes };
}

class WriterCheck {
  readonly #writer: string;
  readonly #node: string;
  #last: number;
  damage: Damage | undefined;
  waiting = 0;

  constructor(writer: string, node: string, last: number) {
    this.#writer = writer;
    this.#node = node;
    this.#last = last;
  }

  async segment(segment: Segment): Promise<number> {
    try {
      const { tailBytes } = await scanSegment(segment, (line) => this.#meet(line));
      return tailBytes;
    } catch (error) {
      // The sequencer of a running node removes what a newer checkpoint covers while we read.
      if (isMissing(error)) return 0;
      throw error;
    }
  }

  #meet({ record, bytes }: WalLine): void {
    const { seq } = record;
    // Already in the log, or written again after a failed append.
    if (seq <= this.#last) return;
    const expected = this.#last + 1;
    if (seq > expected) {
      const message = `${this.#writer} has no numbers ${expected} to ${seq - 1}: they were removed before they were signed`;
      this.damage ??= { kind: 'hole', message, writer: this.#writer, seq: expected };
    }
    if (record.node !== this.#node) {
      const message = `${this.#writer} has a record of node ${record.node} waiting`;
      this.damage ??= { kind: 'unreadable', message, ...identify(bytes) };
    }
    this.#last = seq;
    this.waiting += 1;
  }
}
