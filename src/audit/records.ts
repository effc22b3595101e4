import { openCheckpoint } from './checkpoint.ts';
import { matches, type RecordFilter } from './filter.ts';
import { parseLine } from './line.ts';
import { CHECKPOINT_FILE, logDirectory, readBundle, readEntries, readLogFile } from './log-files.ts';
import { parseVerifierKey } from './note.ts';
import { damageIsNoProof, NoProof } from './prove.ts';
import { keptFrom } from './pruned.ts';
import type { AccessRecord } from './record.ts';
import { followKeys } from './rotation.ts';
import { TILE_WIDTH } from './tree.ts';

export interface RecordsOptions {
  /** An audit directory, or a copy of one. */
  readonly directory: string;
  readonly publicKey: string;
  readonly filter: RecordFilter;
  /** Called after every 256 entries. */
  readonly onProgress?: (progress: RecordsProgress) => void;
}

export interface RecordsProgress {
  readonly done: number;
  readonly total: number;
  /** Entries that were asked for. */
  readonly matched: number;
  /** Entries that are no record; `verify` says what they are. */
  readonly unreadable: number;
}

/** A record, and the exact line and place it has in the log. */
export interface RecordEntry {
  readonly index: number;
  readonly line: Buffer;
  readonly record: AccessRecord;
}

/**
 * The records below the checkpoint that were asked for, oldest first, a bundle at a time: constant memory. The log is
 * taken as it is; `verifyLog` is what checks it.
 *
 * @throws {NoProof} there is no checkpoint that this key signed, or a bundle is missing.
 */
export async function* readRecords(options: RecordsOptions): AsyncGenerator<readonly RecordEntry[]> {
  const { directory, filter, onProgress } = options;
  const size = await sizeOf(directory, options.publicKey);
  let [matched, unreadable] = [0, 0];
  for (let first = await keptFrom(logDirectory(directory)); first < size; first += TILE_WIDTH) {
    const width = Math.min(TILE_WIDTH, size - first);
    const lines = await damageIsNoProof(() => readBundle(logDirectory(directory), first / TILE_WIDTH, width));
    const found: RecordEntry[] = [];
    for (const [at, line] of lines.entries()) {
      const record = parseLine(line);
      if (record === undefined) unreadable += 1;
      else if (matches(record, filter)) found.push({ index: first + at, line, record });
    }
    matched += found.length;
    if (found.length > 0) yield found;
    onProgress?.({ done: first + width, total: size, matched, unreadable });
  }
}

/**
 * The records between two leaves, oldest first; those that retention removed are passed over. `to` is at most the
 * checkpoint's size.
 *
 * @throws {LogDamaged} a bundle is missing or short.
 */
export async function readRecordsBetween(
  directory: string,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<readonly RecordEntry[]> {
  const entries: RecordEntry[] = [];
  const log = logDirectory(directory);
  const first = Math.max(from, await keptFrom(log));
  for await (const { index, line } of readEntries(log, first, to)) {
    const record = parseLine(line);
    if (record !== undefined) entries.push({ index, line, record });
  }
  return entries;
}

async function sizeOf(directory: string, publicKey: string): Promise<number> {
  const believed = parseVerifierKey(publicKey);
  if (!believed) throw new NoProof('the public key is no Ed25519 key in the form name+id+base64');
  const { newest: verifier } = await followKeys(logDirectory(directory), believed);
  const note = await readLogFile(logDirectory(directory), CHECKPOINT_FILE);
  const checkpoint = note === undefined ? undefined : openCheckpoint(note, verifier);
  if (!checkpoint) {
    throw new NoProof(
      `${logDirectory(directory)} has no checkpoint that ${verifier.name} signed with this key`,
    );
  }
  return checkpoint.size;
}
