import { openCheckpoint } from './checkpoint.ts';
import { parseLine } from './line.ts';
import { CHECKPOINT_FILE, KEY_FILE, logDirectory, readEntries, readLogFile } from './log-files.ts';
import { parseVerifierKey } from './note.ts';
import type { IndexedRecord, RecordIndexReads, RecordIndexWrites, RecordQuery } from './ports.ts';

const APPEND_COUNT_MAX = 500;
const LIMIT_MAX = 1000;

/** Finds records, newest first. The limit is held to 1 to 1000 whatever was asked. */
export function searchRecords(
  index: Pick<RecordIndexReads, 'search'>,
  query: RecordQuery,
): Promise<readonly IndexedRecord[]> {
  const limit = Math.min(LIMIT_MAX, Math.max(1, Math.trunc(query.limit) || 1));
  return index.search({ ...query, limit });
}

/** Brings the index up to `size` leaves. One that knows more than the log is another log's: it is filled anew. */
export async function fillIndex(log: string, size: number, index: RecordIndexWrites): Promise<void> {
  let next = await index.nextIndex();
  if (next > size) {
    await index.clear();
    next = 0;
  }
  let records: IndexedRecord[] = [];
  for await (const { index: at, line } of readEntries(log, next, size)) {
    const record = parseLine(line);
    // A leaf that is no record cannot be searched for; `verify` names it.
    if (record !== undefined) records.push({ index: at, record });
    if (records.length >= APPEND_COUNT_MAX) {
      await index.append(records);
      records = [];
    }
  }
  if (records.length > 0) await index.append(records);
}

/**
 * Fills the search index anew from the log, up to its checkpoint.
 *
 * @returns the number of leaves, or `undefined` when there is no checkpoint that the log's own key signed.
 */
export async function rebuildIndex(directory: string, index: RecordIndexWrites): Promise<number | undefined> {
  const log = logDirectory(directory);
  const verifier = parseVerifierKey((await readLogFile(log, KEY_FILE)) ?? '');
  const text = await readLogFile(log, CHECKPOINT_FILE);
  const checkpoint = verifier && text !== undefined ? openCheckpoint(text, verifier) : undefined;
  if (checkpoint === undefined) return undefined;
  await index.clear();
  await fillIndex(log, checkpoint.size, index);
  return checkpoint.size;
}
