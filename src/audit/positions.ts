import { parseLine } from './line.ts';
import { KEY_FILE, POSITIONS_FILE, readLogFile } from './log-files.ts';
import { HASH_BYTES, leafHash, type TreeHash } from './merkle.ts';
import { cosignNote, openNote, parseVerifierKey, type Signer, type Verifier } from './note.ts';
import { isLogName } from './shape.ts';

/** Where one writer stands in the log. */
export interface Position {
  /** Number of its last line in the log. */
  readonly seq: number;
  /** Leaf hash of that line. */
  readonly leaf: TreeHash;
}

/**
 * Where all writers stand in a log of `size` leaves. It follows from the leaves; kept in a signed file only so that
 * a start need not read the whole log.
 */
export interface Positions {
  readonly size: number;
  readonly writers: ReadonlyMap<string, Position>;
}

const TITLE = 'dockgate writer positions';

/** The state of the writers after one more leaf. A line that is no record changes nothing; `verify` names it. */
export function advance(writers: Map<string, Position>, line: Uint8Array): void {
  const record = parseLine(line);
  if (record !== undefined) writers.set(record.writer, { seq: record.seq, leaf: leafHash(line) });
}

export function printPositions(positions: Positions, ...signers: readonly Signer[]): string {
  return cosignNote(`${TITLE}\n${positionLines(positions)}`, signers);
}

/** The size, and a line a writer. */
export function positionLines({ size, writers }: Positions): string {
  const lines = [...writers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([writer, { seq, leaf }]) => `${writer} ${seq} ${leaf.toString('base64')}\n`);
  return `${size}\n${lines.join('')}`;
}

/** `undefined` unless the log's key signed it. */
export function openPositions(note: string, verifier: Verifier): Positions | undefined {
  const [title, ...lines] = openNote(note, verifier)?.split('\n') ?? [];
  return title === TITLE ? parsePositions(lines) : undefined;
}

/** Where the writers stand by the signed file and the key beside it; nobody, where there is no such file. */
export async function readPositions(log: string): Promise<ReadonlyMap<string, Position>> {
  const verifier = parseVerifierKey((await readLogFile(log, KEY_FILE)) ?? '');
  const note = await readLogFile(log, POSITIONS_FILE);
  const positions = verifier === undefined || note === undefined ? undefined : openPositions(note, verifier);
  return positions?.writers ?? new Map<string, Position>();
}

/** Reads what `positionLines` printed, line by line. */
export function parsePositions(text: readonly string[]): Positions | undefined {
  const [size, ...lines] = text.slice(0, -1);
  if (size === undefined || !/^\d{1,16}$/.test(size)) return undefined;
  const writers = new Map<string, Position>();
  for (const line of lines) {
    const [writer, seq, leaf, ...more] = line.split(' ');
    const hash = Buffer.from(leaf ?? '', 'base64');
    if (
      !isLogName(writer) ||
      !/^\d{1,16}$/.test(seq ?? '') ||
      hash.length !== HASH_BYTES ||
      more.length > 0
    ) {
      return undefined;
    }
    writers.set(writer, { seq: Number(seq), leaf: hash });
  }
  return { size: Number(size), writers };
}
