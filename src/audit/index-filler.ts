import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from '../base/index.ts';
import { openCheckpoint } from './checkpoint.ts';
import { codeOf } from './disk.ts';
import { parseLine } from './line.ts';
import { CHECKPOINT_FILE, KEY_FILE, logDirectory, readEntries, readLogFile } from './log-files.ts';
import { parseVerifierKey } from './note.ts';
import type { IndexedRecord, RecordIndexWrites } from './ports.ts';
import { keptFrom } from './pruned.ts';
import { createRecentRecords, type RecentRecords } from './recent.ts';
import type { AccessRecord } from './record.ts';

/** In one transaction; some 20 ms of work. */
const APPEND_COUNT_MAX = 1000;
/** A step of the sequencer waits for so many; a longer way is made beside it, so that checkpoints do not wait. */
const WAITED_COUNT_MAX = 2 * APPEND_COUNT_MAX;

/** Keeps the search index up with the log. Runs never overlap. */
export interface IndexFiller {
  /** A leaf that is in the log now: it is not read again when it comes to be filled in soon. */
  meet(index: number, record: AccessRecord): void;
  /** Brings the index up to `size` leaves; resolves early when the way is long. Never throws: the next call goes on. */
  fill(size: number): Promise<void>;
  /** Empties the index; the next calls fill it anew from the log. */
  restart(): Promise<void>;
  /** Ends what runs after the records at hand. */
  close(): Promise<void>;
}

export function createIndexFiller(
  log: string,
  { index, logger }: { readonly index: RecordIndexWrites; readonly logger: Logger },
): IndexFiller {
  let running: Promise<void> = Promise.resolve();
  let isRunning = false;
  let isOver = false;
  const recent = createRecentRecords();

  const run = async (size: number, onLongWay: () => void): Promise<void> => {
    try {
      const next = await startOf(index, size);
      if (size - next > WAITED_COUNT_MAX) onLongWay();
      const isEnded = () => isOver;
      // What is not in memory (any more).
      const to = Math.max(next, Math.min(size, recent.first()));
      await fillFrom(log, { next, size: to }, index, isEnded);
      await fillRecent(recent, to, index, isEnded);
    } catch (error) {
      // The log is the truth and is signed; the index asks where it stands at the next step.
      logger.error('access log not indexed, will retry', { code: codeOf(error) }, error);
    } finally {
      isRunning = false;
    }
  };
  return {
    meet: recent.meet,
    fill: (size) =>
      new Promise((resolve) => {
        if (isRunning || isOver) return resolve();
        isRunning = true;
        running = run(size, resolve);
        void running.then(resolve);
      }),
    async restart() {
      isOver = true;
      try {
        await running;
        await index.clear();
      } finally {
        isOver = false;
      }
    },
    async close() {
      isOver = true;
      await running;
    },
  };
}

/** Where filling goes on. An index that knows more than the log is another log's: it is filled anew. */
async function startOf(index: RecordIndexWrites, size: number): Promise<number> {
  const next = await index.nextIndex();
  if (next <= size) return next;
  await index.clear();
  return 0;
}

async function fillFrom(
  log: string,
  { next, size }: { readonly next: number; readonly size: number },
  index: RecordIndexWrites,
  isEnded: () => boolean,
): Promise<void> {
  let records: IndexedRecord[] = [];
  // What was removed is not there to be found.
  const from = Math.max(next, await keptFrom(log));
  for await (const { index: at, line } of readEntries(log, from, size)) {
    const record = parseLine(line);
    // A leaf that is no record cannot be searched for; `verify` names it.
    if (record !== undefined) records.push({ index: at, record });
    if (records.length >= APPEND_COUNT_MAX) {
      await index.append(records);
      records = [];
      await nextTurn();
      if (isEnded()) return;
    }
  }
  if (records.length > 0) await index.append(records);
}

/** Fills in what is in memory from this leaf on. Whatever it does not come to is read from the log by the next call. */
async function fillRecent(
  recent: RecentRecords,
  from: number,
  index: RecordIndexWrites,
  isEnded: () => boolean,
): Promise<void> {
  // Meanwhile so many came that some in between were forgotten.
  if (isEnded() || recent.first() > from) return;
  const records = recent.takeFrom(from);
  for (let at = 0; at < records.length && !isEnded(); at += APPEND_COUNT_MAX) {
    await index.append(records.slice(at, at + APPEND_COUNT_MAX));
    // A transaction gives nobody else a turn by itself.
    await nextTurn();
  }
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
  await fillFrom(log, { next: 0, size: checkpoint.size }, index, () => false);
  return checkpoint.size;
}
