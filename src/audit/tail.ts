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
  readonly problem: 'torn' | 'hole' | 'repeated' | 'gone';
  readonly segment: number;
  readonly note: string;
}

/**
 * Reads one writer's lines in order, each once. Where the log stands is found by number and hash of the writer's last
 * leaf; lines that were written again after a failed append are passed over. Files that are removed, or replaced by
 * others, while they are read are found out, and what is there then is read from its beginning. A line that fits
 * nowhere is taken all the same: no record may be lost, and `verify` names what does not follow.
 */
export class WriterTail {
  #last: Position | undefined;
  /** Whether the last leaf's own line was met: what stands before it is in the log already. */
  #isCaughtUp: boolean;
  #passedCount = 0;
  #segment = 0;
  #offset = 0;
  #lastLineSegment = 0;
  /** The last line before `offset`, by which the file is known again. */
  #mark: { readonly bytes: number; readonly leaf: TreeHash } | undefined;
  /** Leaves of lines that the log holds, or will with this read. */
  #recent = new Map<number, TreeHash>();
  /** The same of lines before the log's last one, as far as it is known that they are. */
  #passed = new Map<number, TreeHash>();
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
    // The segment of the last line is never removed by us.
    const isGone = this.#lastLineSegment > 0 && segments.every((one) => one.number !== this.#lastLineSegment);
    if (isGone) this.#forgetFiles('removed');
    for (const segment of segments) {
      if (segment.number < this.#segment) continue;
      const end = await this.#readSegment(segment);
      if (end === 'replaced') {
        // Only the segment that was read before can be: nothing was taken in this read yet.
        this.#forgetFiles('replaced');
        return this.#readAgain(segments);
      }
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
      this.#isCaughtUp = true;
      this.#goBack();
      return this.#readAgain(segments);
    }
    return { lines: this.#lines, problems: this.#problems, hasMore: false };
  }

  async #readAgain(segments: readonly Segment[]): ReturnType<WriterTail['read']> {
    const problems = this.#problems;
    const again = await this.read(segments);
    return { ...again, problems: [...problems, ...again.problems] };
  }

  /** As at a start: the place of the log's last line is looked for in the files that are there now. */
  #forgetFiles(what: 'removed' | 'replaced'): void {
    this.#report(
      'gone',
      `the file was ${what} while it was in use; all that is there is read from the beginning`,
    );
    this.#isCaughtUp = this.#last === undefined;
    this.#goBack();
  }

  #goBack(): void {
    this.#segment = 0;
    this.#offset = 0;
    this.#mark = undefined;
    this.#lastLineSegment = 0;
    this.#passedCount = 0;
    this.#passed = new Map();
  }

  /** @returns the bytes of its tail, `full` when there is more than one read takes, or that it is not the same file. */
  async #readSegment(segment: Segment): Promise<number | 'full' | 'replaced'> {
    if (segment.number > this.#segment) {
      this.#segment = segment.number;
      this.#offset = 0;
      this.#mark = undefined;
    }
    const handle = await openOrNothing(segment.path);
    // Removed under us: the numbers of the lines after it will tell whether anything is missing.
    if (handle === undefined) return 0;
    try {
      const until = (await handle.stat()).size;
      if (until < this.#offset) return 'replaced';
      if (until === this.#offset) return 0;
      if (!(await this.#isSame(handle))) return 'replaced';
      // What a crash could still take away must not get into the log: it would differ from the writer's next lines.
      await handle.datasync();
      return await this.#readUntil(handle, segment, until);
    } finally {
      await handle.close();
    }
  }

  /** A file of that number that somebody, or the writer after a restart, has made anew holds another line there. */
  async #isSame(handle: FileHandle): Promise<boolean> {
    if (this.#mark === undefined) return true;
    const { bytes, leaf } = this.#mark;
    const line = Buffer.alloc(bytes);
    await handle.read(line, 0, bytes, this.#offset - 1 - bytes);
    return leafHash(line).equals(leaf);
  }

  async #readUntil(handle: FileHandle, segment: Segment, until: number): Promise<number | 'full'> {
    for (;;) {
      const read = await readLines(handle, segment, { offset: this.#offset, until, bytesMax: READ_BYTES });
      for (const line of read.lines) this.#meet(line, segment.number);
      const last = read.lines.at(-1)?.bytes;
      if (last !== undefined) this.#mark = { bytes: last.length, leaf: leafHash(last) };
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
      remember(this.#passed, seq, leaf);
      this.#isCaughtUp = seq === this.#last?.seq && leaf.equals(this.#last.leaf);
      if (this.#isCaughtUp) this.#recent = new Map([...this.#recent, ...this.#passed]);
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
    remember(this.#recent, seq, leaf);
  }

  #report(problem: TailProblem['problem'], note: string): void {
    this.#problems.push({ problem, segment: this.#segment, note });
  }
}

function remember(recent: Map<number, TreeHash>, seq: number, leaf: TreeHash): void {
  recent.set(seq, leaf);
  const [oldest] = recent.keys();
  if (recent.size > RECENT_MAX && oldest !== undefined) recent.delete(oldest);
}

async function openOrNothing(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
