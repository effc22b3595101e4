import type { TextOrigin } from './secret-rule.ts';
import { type FoundSecret, MATCH_LENGTH_MAX } from './secret-search.ts';

/** With the overlap still below 128 KiB, from which on V8 gives every string pages of its own and frees them late. */
const PIECE_BYTES = 64 * 1024;
/** Lines are counted so far. */
const LINES_BYTES_MAX = 1024 * 1024;
const SNIFF_BYTES = 8192;

/** A secret and the line it stands on, where that is known. */
export interface LocatedSecret {
  readonly found: FoundSecret;
  readonly origin: TextOrigin;
  /** From 1; absent beyond a file's first megabyte. */
  readonly line?: number;
}

export type Search = (text: string, origin: TextOrigin) => readonly FoundSecret[];

/**
 * Searches one file as its bytes arrive, in pieces that overlap by the longest match, so that any file needs the same
 * little memory. Bytes become characters one by one (latin1); UTF-16 is told by its mark.
 */
export class FileSearch {
  readonly #path: string;
  readonly #search: Search;
  readonly #onFound: (secret: LocatedSecret) => void;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #tail = '';
  #origin: TextOrigin | undefined;
  #isWide = false;
  /** Characters and line ends that are not in `#tail` any more. */
  #passedLength = 0;
  #passedLines = 0;

  constructor(path: string, search: Search, onFound: (secret: LocatedSecret) => void) {
    this.#path = path;
    this.#search = search;
    this.#onFound = onFound;
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + PIECE_BYTES - this.#waitingBytes);
      at += part.length;
      this.#waiting.push(part);
      this.#waitingBytes += part.length;
      if (this.#waitingBytes >= PIECE_BYTES) this.#searchPiece(false);
    }
  }

  end(): void {
    if (this.#waitingBytes > 0 || this.#tail !== '') this.#searchPiece(true);
  }

  #searchPiece(isLast: boolean): void {
    const [only] = this.#waiting;
    const bytes = this.#waiting.length === 1 && only ? only : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    const origin = this.#originOf(bytes);
    const plain = bytes.toString('latin1');
    const text = this.#tail + (this.#isWide ? plain.replaceAll('\0', '') : plain);
    for (const found of this.#search(text, origin)) {
      // What touches the end may go on in the next piece, where it is seen whole.
      if (!isLast && found.end >= text.length) continue;
      // What begins with the overlap was seen whole in the piece before, with what stands in front of it.
      if (found.start === 0 && this.#passedLength > 0) continue;
      const line = this.#lineOf(text, found.start);
      this.#onFound({
        found,
        origin,
        ...(line === undefined ? {} : { line }),
      });
    }
    const passed = isLast ? text.length : Math.max(0, text.length - MATCH_LENGTH_MAX);
    if (this.#passedLength < LINES_BYTES_MAX) this.#passedLines += countLineEnds(text, passed);
    this.#passedLength += passed;
    this.#tail = text.slice(passed);
  }

  #lineOf(text: string, at: number): number | undefined {
    if (this.#passedLength + at >= LINES_BYTES_MAX) return undefined;
    return 1 + this.#passedLines + countLineEnds(text, at);
  }

  #originOf(bytes: Buffer): TextOrigin {
    if (this.#origin) return this.#origin;
    const mark = bytes.length >= 2 ? bytes.readUInt16BE(0) : 0;
    this.#isWide = mark === 0xfffe || mark === 0xfeff;
    const isBinary = !this.#isWide && bytes.subarray(0, SNIFF_BYTES).includes(0);
    this.#origin = { path: this.#path, isBinary };
    return this.#origin;
  }
}

function countLineEnds(text: string, before: number): number {
  let count = 0;
  for (let next = text.indexOf('\n'); next >= 0 && next < before; next = text.indexOf('\n', next + 1))
    count += 1;
  return count;
}
