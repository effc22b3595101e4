import type { Damage } from './damage.ts';
import { identify } from './damage.ts';
import { isMissing } from './disk.ts';
import { type Segment, scanSegment, type WalLine } from './wal.ts';

/** What the write-ahead files hold beyond the checkpoint. */
export interface AheadReport {
  readonly damage: Damage | undefined;
  /** Records that are durable and not covered by the checkpoint yet. */
  readonly waiting: number;
  /** Bytes at the ends of segments that are no record: left by a crash, never acknowledged, no damage. */
  readonly tornBytes: number;
}

export interface AheadQuery {
  /** All segments, listed before the checkpoint was read: what is gone since then is covered by a newer one. */
  readonly segments: ReadonlyMap<string, readonly Segment[]>;
  readonly node: string;
  /** Each writer's last number below the checkpoint. */
  readonly numbers: ReadonlyMap<string, number>;
  /** Each writer's highest number among entries beyond the checkpoint. */
  readonly beyond: ReadonlyMap<string, number>;
}

/**
 * Checks that what waits in the write-ahead files continues each writer's numbers without a hole. It is not signed,
 * so an edit that keeps the form cannot be seen here (design, chapter 3).
 */
export async function checkAhead(query: AheadQuery): Promise<AheadReport> {
  let damage: Damage | undefined;
  let waiting = 0;
  let tornBytes = 0;
  const missing = new Map(query.beyond);
  for (const [writer, segments] of query.segments) {
    const check = new WriterCheck(writer, query.node, query.numbers.get(writer) ?? 0);
    for (const segment of segments) tornBytes += await check.segment(segment);
    damage ??= check.damage;
    waiting += check.waiting;
    if (check.isPartlyGone || check.last >= (missing.get(writer) ?? 0)) missing.delete(writer);
  }
  for (const [writer, seq] of missing) {
    if (seq <= (query.numbers.get(writer) ?? 0)) continue;
    const message = `the log once held number ${seq} of ${writer}, beyond its checkpoint: an older one was put back`;
    damage ??= { kind: 'older-copy', message, writer, seq };
  }
  return { damage, waiting, tornBytes };
}

class WriterCheck {
  readonly #writer: string;
  readonly #node: string;
  last: number;
  damage: Damage | undefined;
  waiting = 0;
  /** The sequencer removed a segment meanwhile: a newer checkpoint than ours covers it. */
  isPartlyGone = false;

  constructor(writer: string, node: string, last: number) {
    this.#writer = writer;
    this.#node = node;
    this.last = last;
  }

  /** @returns the bytes of its torn tail. */
  async segment(segment: Segment): Promise<number> {
    try {
      const { tailBytes } = await scanSegment(segment, (line) => this.#meet(line));
      return tailBytes;
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.isPartlyGone = true;
      return 0;
    }
  }

  #meet({ record, bytes }: WalLine): void {
    const { seq } = record;
    // Already in the log, or written again after a failed append.
    if (seq <= this.last) return;
    const expected = this.last + 1;
    if (seq > expected && !this.isPartlyGone) {
      const message = `${this.#writer} has no numbers ${expected} to ${seq - 1}: they were removed before they were signed`;
      this.damage ??= { kind: 'hole', message, writer: this.#writer, seq: expected };
    }
    if (record.node !== this.#node) {
      const message = `${this.#writer} has a record of node ${record.node} waiting`;
      this.damage ??= { kind: 'unreadable', message, ...identify(bytes) };
    }
    this.last = seq;
    this.waiting += 1;
  }
}
