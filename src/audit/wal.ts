import { constants } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './disk.ts';
import { LINE_BYTES_MAX, parseLine } from './line.ts';
import type { AccessRecord } from './record.ts';
import { isLogName } from './shape.ts';

/** One file of a writer's write-ahead lines. Segments of a writer are numbered from 1 and never written again once the next exists. */
export interface Segment {
  readonly writer: string;
  readonly number: number;
  readonly path: string;
}

export function walDirectory(directory: string): string {
  return join(directory, 'wal');
}

export function segmentPath(directory: string, writer: string, number: number): string {
  return join(walDirectory(directory), `${writer}.${String(number).padStart(10, '0')}.jsonl`);
}

/** All segments by writer, each writer's in order. A missing directory has none. */
export async function listSegments(directory: string): Promise<ReadonlyMap<string, readonly Segment[]>> {
  const byWriter = new Map<string, Segment[]>();
  for (const name of (await namesIn(walDirectory(directory))).sort()) {
    const match = /^(.+)\.(\d{10})\.jsonl$/.exec(name);
    const writer = match?.[1];
    if (!isLogName(writer)) continue;
    const list = byWriter.get(writer) ?? [];
    list.push({ writer, number: Number(match?.[2]), path: join(walDirectory(directory), name) });
    byWriter.set(writer, list);
  }
  return byWriter;
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    // A log that nobody has written to yet.
    if (isMissing(error)) return [];
    throw error;
  }
}

export interface WalLine {
  readonly record: AccessRecord;
  /** The exact bytes without the newline. */
  readonly bytes: Buffer;
}

/** What one read of a segment gave. */
export interface WalRead {
  readonly lines: readonly WalLine[];
  /** Where the next read begins: after the last whole line. */
  readonly nextOffset: number;
  /** Bytes from there to the end of the file that was read; a torn tail once the segment is closed. */
  readonly tailBytes: number;
  /** The tail begins with a line that is none: nothing in this segment counts from there on. */
  readonly isTorn: boolean;
  /** The end of the file was reached. */
  readonly isAtEnd: boolean;
}

/**
 * Reads whole lines of one writer from `offset`. Everything from the first line on that is no record of this writer
 * is tail: after power loss a batch that was never acknowledged may be there in parts and out of order.
 *
 * @param until the size to read up to; what the file got after that is not looked at.
 */
export async function readLines(
  handle: FileHandle,
  segment: Segment,
  range: { readonly offset: number; readonly until: number; readonly bytesMax: number },
): Promise<WalRead> {
  const end = Math.min(range.until, range.offset + range.bytesMax);
  const bytes = await readRange(handle, range.offset, end);
  const lines: WalLine[] = [];
  let at = 0;
  let isTorn = false;
  for (let newline = bytes.indexOf(0x0a, at); newline >= 0; newline = bytes.indexOf(0x0a, at)) {
    const line = bytes.subarray(at, newline);
    const record = parseLine(line);
    if (record === undefined || record.writer !== segment.writer) {
      isTorn = true;
      break;
    }
    lines.push({ record, bytes: line });
    at = newline + 1;
  }
  const nextOffset = range.offset + at;
  if (bytes.length - at > LINE_BYTES_MAX) isTorn = true;
  const isAtEnd = range.offset + bytes.length >= range.until || bytes.length < end - range.offset;
  return { lines, nextOffset, tailBytes: Math.max(0, range.until - nextOffset), isTorn, isAtEnd };
}

async function readRange(handle: FileHandle, from: number, to: number): Promise<Buffer> {
  const buffer = Buffer.alloc(Math.max(0, to - from));
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

const READ_BYTES = 1024 * 1024;

/** Walks all lines of a segment; constant memory. @returns the size of the torn tail and where it begins. */
export async function scanSegment(
  segment: Segment,
  visit: (line: WalLine) => void,
): Promise<{ readonly nextOffset: number; readonly tailBytes: number }> {
  const handle = await open(segment.path, constants.O_RDONLY);
  try {
    const until = (await handle.stat()).size;
    for (let offset = 0; ; ) {
      const read = await readLines(handle, segment, { offset, until, bytesMax: READ_BYTES });
      for (const line of read.lines) visit(line);
      offset = read.nextOffset;
      if (read.isTorn || read.isAtEnd) return { nextOffset: offset, tailBytes: read.tailBytes };
    }
  } finally {
    await handle.close();
  }
}
