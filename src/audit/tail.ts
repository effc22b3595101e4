import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MiB } from '../base/index.ts';
import { isMissing } from './disk.ts';
import { leafHash, type TreeHash } from './merkle.ts';
import type { Position } from './positions.ts';
import { readLines, type Segment, type WalLine } from './wal.ts';

/** How much one read of one writer takes, so that a large backlog neither fills memory nor keeps others waiting. */
const READ_BYTES = 4 * MiB;
/** A failed append is written again at most this long (a batch and its statement): no older line comes again. */
const RECENT_MAX = 2048;

/** A line, and its leaf hash, which is needed here and in the tree. */
export interface TailLine extends WalLine {
  readonly leaf: TreeHash;
}

/** What a reader reports and does not decide about. */
export interface TailProblem {
  readonly problem: 'torn' | 'hole' | 'repeated';
  readonly segment: number;
  readonly note: string;
}

/**
 * Reads one writer's lines in order, each once. Where the log stands is found by number and hash of the writer's last
 * leaf; lines that were written again after a failed append are passed over. A line that fits nowhere is taken all
 * the same: no record may be lost, and `verify` names what does not follow.
 */
export class WriterTail {
  #last: Position | undefined;
  /** Whether the last leaf's own line was met: what stands before it is in the log already. */
  #isCaughtUp: boolean;
  #passedCount = 0;
  #segment = 0;
  #offset = 0;
  #lastLineSegment = 0;
  #recent = new Map<number, TreeHash>();
  #lines: TailLine[] = [];
  #problems: TailProblem[] = [];

  /** @param last where the log stands; `undefined`: it has no line of this writer. */
  constructor(last: Position | undefined) {
    this.#last = last;
    this.#isCaughtUp = last === undefined;
  }

  /** Segments below this number hold nothing that is not taken. */
  get keptFrom(): number {
    return this.#lastLineSegment;
  }

  /**
   * @param segments all that the writer has, listed just now: only a successor in this list proves that a segment
   *   had ended before it is read.
   * @returns durable lines that follow what was taken, and whether there are more to read at once.
   */
  async read(segments: readonly Segment[]): Promise<{
    readonly lines: readonly TailLine[];
    readonly problems: readonly TailProblem[];
    readonly hasMore: boolean;
  }> {
    this.#lines = [];
    this.#problems = [];
    for (const segment of segments) {
      if (segment.number < this.#segment) continue;
      const end = await this.#readSegment(segment);
      if (end === 'full') return { lines: this.#lines, problems: this.#problems, hasMore: true };
      const isEnded = segment !== segments.at(-1);
      if (isEnded && end > 0)
        this.#report('torn', `${end} bytes at the end are no record, never acknowledged`);
    }
    if (!this.#isCaughtUp && this.#passedCount > 0) {
      this.#report(
        'repeated',
        'the write-ahead files do not hold the last line of the log: they were replaced',
      );
      this.#startOver();
      const problems = this.#problems;
      const again = await this.read(segments);
      return { ...again, problems: [...problems, ...again.problems] };
    }
    return { lines: this.#lines, problems: this.#problems, hasMore: false };
  }

  #startOver(): void {
    this.#isCaughtUp = true;
    this.#segment = 0;
    this.#offset = 0;
    this.#recent = new Map();
  }

  /** @returns the bytes of its tail, or `full` when there is more than one read takes. */
  async #readSegment(segment: Segment): Promise<number | 'full'> {
    if (segment.number > this.#segment) {
      this.#segment = segment.number;
      this.#offset = 0;
    }
    const handle = await openOrNothing(segment.path);
    // Removed under us: the numbers of the lines after it will tell whether anything is missing.
    if (handle === undefined) return 0;
    try {
      const until = (await handle.stat()).size;
      if (until <= this.#offset) return 0;
      // What a crash could still take away must not get into the log: it would differ from the writer's next lines.
      await handle.datasync();
      return await this.#readUntil(handle, segment, until);
    } finally {
      await handle.close();
    }
  }

  async #readUntil(handle: FileHandle, segment: Segment, until: number): Promise<number | 'full'> {
    for (;;) {
      const read = await readLines(handle, segment, { offset: this.#offset, until, bytesMax: READ_BYTES });
      for (const line of read.lines) this.#meet(line, segment.number);
      this.#offset = read.nextOffset;
      if (read.isTorn || read.isAtEnd) return read.tailBytes;
      if (this.#lines.length > 0) return 'full';
    }
  }

  #meet(line: WalLine, segment: number): void {
    const { seq } = line.record;
    const leaf = leafHash(line.bytes);
    if (!this.#isCaughtUp && !(seq === (this.#last?.seq ?? 0) + 1 && this.#passedCount === 0)) {
      this.#passedCount += 1;
      this.#lastLineSegment = segment;
      this.#remember(seq, leaf);
      this.#isCaughtUp = seq === this.#last?.seq && leaf.equals(this.#last.leaf);
      return;
    }
    this.#isCaughtUp = true;
    const expected = (this.#last?.seq ?? 0) + 1;
    if (seq < expected && this.#recent.get(seq)?.equals(leaf)) return;
    if (seq < expected) this.#report('repeated', `number ${seq} comes again with another line`);
    if (seq > expected) this.#report('hole', `numbers ${expected} to ${seq - 1} are missing`);
    this.#lines.push({ ...line, leaf });
    this.#last = { seq, leaf };
    this.#lastLineSegment = segment;
    this.#remember(seq, leaf);
  }

  #remember(seq: number, leaf: TreeHash): void {
    this.#recent.set(seq, leaf);
    const [oldest] = this.#recent.keys();
    if (this.#recent.size > RECENT_MAX && oldest !== undefined) this.#recent.delete(oldest);
  }

  #report(problem: TailProblem['problem'], note: string): void {
    this.#problems.push({ problem, segment: this.#segment, note });
  }
}

async function openOrNothing(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
