import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { MiB } from '../base/index.ts';
import { isThere, syncDirectory, writeWhole } from './disk.ts';
import { readHeadNote } from './head.ts';
import { parseLine } from './line.ts';
import { LogDamaged, logDirectory, readBundle } from './log-files.ts';
import { readPositions } from './positions.ts';
import { parseTime } from './stamp.ts';
import { TILE_WIDTH } from './tree.ts';
import { listSegments, type Segment, scanSegment, walDirectory } from './wal.ts';

/** A torn tail is at most what one failed append left; of a file that is all rubbish no more is kept. */
const TORN_BYTES_MAX = 8 * MiB;

/** Where a writer goes on after its last process ended, however it ended. */
export interface WriterStart {
  readonly nextNumber: number;
  /** 0 when there is none. */
  readonly lastSeq: number;
  /** Newest time of a line, microseconds since 1970. */
  readonly newestUs: number;
  readonly torn: readonly TornTail[];
}

interface TornTail {
  readonly segment: number;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Looks through a writer's newest segments. Their files stay as they are; a torn tail, which no client was answered
 * for, is copied beside them (`.torn`) so that it outlives its segment.
 *
 * A record that failed is written again at the beginning of the next segment, so the newest segment does not always
 * hold the highest number. All earlier ones are lower once a segment begins with a lower number than those after it.
 */
export async function recoverWriter(directory: string, writer: string): Promise<WriterStart> {
  const segments = (await listSegments(directory)).get(writer) ?? [];
  // Where the files were lost the log still knows the numbers and times it has: none may be given twice or undone.
  const lastSeq = (await readPositions(logDirectory(directory))).get(writer)?.seq ?? 0;
  const nextNumber = (segments.at(-1)?.number ?? 0) + 1;
  const newestUs = segments.length === 0 ? await newestInLog(directory) : 0;
  let start: WriterStart = { nextNumber, lastSeq, newestUs, torn: [] };
  let lowestFirst: number | undefined;
  for (const segment of [...segments].reverse()) {
    const end = await lookThrough(segment);
    start = {
      ...start,
      lastSeq: Math.max(start.lastSeq, end.lastSeq),
      newestUs: Math.max(start.newestUs, end.newestUs),
      torn: end.torn === undefined ? start.torn : [end.torn, ...start.torn],
    };
    if (end.firstSeq === undefined) continue;
    if (lowestFirst !== undefined && end.firstSeq < lowestFirst) break;
    lowestFirst = end.firstSeq;
  }
  if (start.torn.length > 0) await syncDirectory(walDirectory(directory));
  return start;
}

/** The time of the log's newest records, whoever wrote them; 0 where it has none or cannot be read. */
async function newestInLog(directory: string): Promise<number> {
  const size = (await readHeadNote(directory))?.checkpoint.size ?? 0;
  if (size === 0) return 0;
  const first = size - 1 - ((size - 1) % TILE_WIDTH);
  try {
    const lines = await readBundle(logDirectory(directory), first / TILE_WIDTH, size - first);
    return Math.max(
      0,
      ...lines.map((line) => parseTime(parseLine(line)?.time ?? '')).filter(Number.isFinite),
    );
  } catch (error) {
    // What is damaged is for the sequencer and for `verify` to name; the wall clock serves.
    if (error instanceof LogDamaged) return 0;
    throw error;
  }
}

async function lookThrough(segment: Segment): Promise<{
  readonly firstSeq: number | undefined;
  readonly lastSeq: number;
  readonly newestUs: number;
  readonly torn: TornTail | undefined;
}> {
  let firstSeq: number | undefined;
  let lastSeq = 0;
  let newestUs = 0;
  const { nextOffset, tailBytes } = await scanSegment(segment, ({ record }) => {
    firstSeq ??= record.seq;
    lastSeq = Math.max(lastSeq, record.seq);
    newestUs = Math.max(newestUs, parseTime(record.time));
  });
  const torn = tailBytes > 0 ? await keepAside(segment, nextOffset, tailBytes) : undefined;
  return { firstSeq, lastSeq, newestUs, torn };
}

/** @returns `undefined` when it was kept aside and recorded by an earlier start. */
async function keepAside(segment: Segment, offset: number, tailBytes: number): Promise<TornTail | undefined> {
  const path = segment.path.replace(/\.jsonl$/, '.torn');
  if (await isThere(path)) return undefined;
  const handle = await open(segment.path, constants.O_RDONLY);
  try {
    // What is continued after must not vanish with a power loss that comes before the sequencer has read it.
    await handle.datasync();
    const buffer = Buffer.alloc(Math.min(tailBytes, TORN_BYTES_MAX));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
    const tail = buffer.subarray(0, bytesRead);
    await writeWhole(path, tail);
    return { segment: segment.number, bytes: tailBytes, sha256: hash('sha256', tail) };
  } finally {
    await handle.close();
  }
}
