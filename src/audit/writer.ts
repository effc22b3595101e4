import { join } from 'node:path';
import { type Clock, type Logger, MiB, newId, type Random, SECOND_MS, StartError } from '../base/index.ts';
import { codeOf, makeDirectory } from './disk.ts';
import { AuditUnavailable } from './faults.ts';
import { createFlood } from './flood.ts';
import { encodeLine, type Line } from './line.ts';
import { takeLock } from './lock.ts';
import { createWaitingQueue, type Waiting } from './queue.ts';
import type { AccessRecord, Audit, AuditEntry } from './record.ts';
import { recoverWriter, type WriterStart } from './recover.ts';
import { type Durability, type OpenSegment, openSegmentFile } from './segment-file.ts';
import { createSeries, type Series } from './series.ts';
import { isLogName } from './shape.ts';
import { createRecordTime, printTime, type RecordTime } from './stamp.ts';
import { walDirectory } from './wal.ts';

export interface AuditWriterOptions {
  /** The audit directory; write-ahead segments go to `wal/` in it. */
  readonly directory: string;
  readonly node: string;
  /** Unique in the node and the same after a restart: `w1`, `house`. */
  readonly writer: string;
  readonly durability: Durability;
  /** A record that is not durable after this many milliseconds fails. */
  readonly waitMsMax: number;
  /** This writer's share of the node's notes a second. */
  readonly notesPerSecond?: number;
  readonly notesPerSecondAndAddress?: number;
  /** Entries that may wait for the disk at once. */
  readonly waitingMax?: number;
  readonly segmentBytesMax?: number;
}

export interface AuditWriterParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly openSegment?: OpenSegment;
}

export interface AuditWriter extends Audit {
  /** Writes what waits, then gives the writer's files free. */
  close(): Promise<void>;
}

const BATCH_RECORDS_MAX = 1024;

/** After a failed write the next try comes after this many milliseconds, then after twice as long, up to the second. */
const RETRY_MS = 250;
const RETRY_MS_MAX = 5000;

/**
 * Opens the log for one writer: takes its lock, finds where its last process stopped, begins a new segment.
 *
 * @throws {StartError} another process writes as this writer, or a name is not fit for a file name.
 */
export async function openAuditWriter(
  options: AuditWriterOptions,
  parts: AuditWriterParts,
): Promise<AuditWriter> {
  for (const name of [options.node, options.writer]) {
    if (!isLogName(name)) {
      throw new StartError(
        `audit: "${name}" must be 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit`,
      );
    }
  }
  await makeDirectory(walDirectory(options.directory));
  const lock = await takeLock(join(walDirectory(options.directory), `${options.writer}.lock`), parts.random);
  try {
    const start = await recoverWriter(options.directory, options.writer);
    const checkLock = async (): Promise<void> => {
      if (!(await lock.isHeld()))
        throw new LockLost(`${options.writer}: another process took over this writer`);
    };
    const series = createSeries(
      {
        directory: options.directory,
        writer: options.writer,
        durability: options.durability,
        segmentBytesMax: options.segmentBytesMax ?? 16 * MiB,
        firstNumber: start.nextNumber,
      },
      { clock: parts.clock, openSegment: parts.openSegment ?? openSegmentFile, checkLock },
    );
    const writer = new Writer(options, parts, series, start);
    return { ...writer.audit(), close: () => writer.close().finally(() => lock.release()) };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Not retried: whoever has the lock now writes under our name. */
class LockLost extends Error {
  override readonly name = 'LockLost';
  readonly code = 'LOCK_LOST';
}

/**
 * Lines of a failed append, with their numbers. Some, all or none of them may be in the suspect segment and the
 * sequencer may have read them, so they are written again, byte for byte, before anything else: each number then has
 * one line, however often it is found. Their callers were answered 503, which the last line of them says.
 */
interface Unsettled {
  readonly text: string;
  readonly count: number;
}

class Writer {
  readonly #options: AuditWriterOptions;
  readonly #parts: AuditWriterParts;
  readonly #series: Series;
  readonly #time: RecordTime;
  readonly #queue = createWaitingQueue();
  readonly #flood;
  readonly #waitingMax: number;
  #seq: number;
  #lastUs: number;
  #unsettled: Unsettled | undefined;
  /** The last write failed less than #retryMs ago: nothing is tried. */
  #isResting = false;
  #retryMs = RETRY_MS;
  #retryTimer: NodeJS.Timeout | undefined;
  #summaryTimer: NodeJS.Timeout | undefined;
  #appendSinceMs: number | undefined;
  #isDraining = false;
  #drained: Promise<void> = Promise.resolve();
  #isLost = false;
  #isClosed = false;

  constructor(options: AuditWriterOptions, parts: AuditWriterParts, series: Series, start: WriterStart) {
    this.#options = options;
    this.#parts = parts;
    this.#series = series;
    this.#seq = start.lastSeq;
    this.#lastUs = start.newestUs;
    this.#time = createRecordTime(parts.clock, start.newestUs);
    this.#waitingMax = options.waitingMax ?? 20_000;
    this.#flood = createFlood({
      notesPerSecond: options.notesPerSecond ?? 100,
      notesPerSecondAndAddress: options.notesPerSecondAndAddress ?? 10,
    });
    for (const { segment, bytes, sha256 } of start.torn) {
      this.#system('log.recovered', {
        bytes,
        reason: 'torn-tail',
        note: `segment ${segment} ended with ${bytes} bytes of lines nobody was answered for, sha256:${sha256}`,
      });
    }
  }

  audit(): Audit {
    return {
      record: (entry) => this.#record(entry),
      note: (entry) => this.#note(entry),
      complete: (entry) => this.#enqueueOrCount(entry),
      isWritable: () => this.#isWritable(),
    };
  }

  async close(): Promise<void> {
    this.#flushSummary();
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#summaryTimer);
    this.#isResting = false;
    await Promise.race([this.#drainAll(), later(this.#options.waitMsMax)]);
    this.#queue.fail(new Error('the log was closed'));
    await Promise.race([this.#series.close().catch(() => undefined), later(this.#options.waitMsMax)]);
  }

  async #drainAll(): Promise<void> {
    await this.#drained;
    this.#start();
    await this.#drained;
  }

  #record(entry: AuditEntry): Promise<AccessRecord> {
    const refusal = this.#whyNot();
    if (refusal !== undefined) return Promise.reject(new AuditUnavailable(new Error(refusal)));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.isLate = true;
        reject(new AuditUnavailable(new Error(`not durable within ${this.#options.waitMsMax} ms`)));
      }, this.#options.waitMsMax);
      const waiting: Waiting = {
        entry,
        timeUs: this.#time.nowUs(),
        isLate: false,
        onDurable: (record) => {
          clearTimeout(timer);
          resolve(record);
        },
        onFailed: (cause) => {
          clearTimeout(timer);
          reject(new AuditUnavailable(cause));
        },
      };
      this.#push(waiting);
    });
  }

  #whyNot(): string | undefined {
    if (this.#isClosed) return 'the log is closed';
    if (this.#isLost) return 'another process took over this writer';
    if (this.#queue.length >= this.#waitingMax) return `${this.#waitingMax} records wait already`;
    return this.#isResting ? 'the last write failed a moment ago' : undefined;
  }

  #note(entry: AuditEntry): void {
    // The house's own words come from no caller, so no flood of them can come either.
    if (entry.kind === 'system' || this.#flood.admit(entry, this.#parts.clock.monotonicMs())) {
      this.#enqueueOrCount(entry);
    } else {
      this.#scheduleSummary();
    }
  }

  #enqueueOrCount(entry: AuditEntry): void {
    if (this.#isClosed || this.#isLost) return;
    if (this.#queue.length >= this.#waitingMax) {
      this.#flood.count(entry);
      this.#scheduleSummary();
      return;
    }
    this.#push({ entry, timeUs: this.#time.nowUs(), isLate: false });
  }

  #push(waiting: Waiting): void {
    const stepMs = this.#time.takeStep();
    if (stepMs !== undefined) {
      this.#system('clock.step', { note: `the wall clock moved by ${Math.round(stepMs)} ms` });
    }
    this.#queue.push(waiting);
    this.#start();
  }

  #system(action: string, rest: Pick<AuditEntry, 'reason' | 'note' | 'bytes' | 'count'>): void {
    this.#enqueueOrCount(this.#systemEntry(action, rest));
  }

  #systemEntry(action: string, rest: Pick<AuditEntry, 'reason' | 'note' | 'bytes' | 'count'>): AuditEntry {
    const requestId = newId(this.#parts.random);
    return { kind: 'system', requestId, action, outcome: 'allowed', status: 0, ...rest };
  }

  #scheduleSummary(): void {
    if (this.#summaryTimer !== undefined || this.#isClosed) return;
    this.#summaryTimer = setTimeout(() => {
      this.#summaryTimer = undefined;
      this.#flushSummary();
    }, SECOND_MS);
    this.#summaryTimer.unref();
  }

  #flushSummary(): void {
    if (this.#isClosed || this.#isLost || this.#queue.length >= this.#waitingMax) return;
    const summary = this.#flood.takeSummary();
    if (summary === undefined) return;
    const requestId = newId(this.#parts.random);
    const entry: AuditEntry = {
      kind: 'summary',
      requestId,
      action: 'flood',
      outcome: 'refused',
      status: 0,
      ...summary,
    };
    this.#push({ entry, timeUs: this.#time.nowUs(), isLate: false });
  }

  #isWritable(): boolean {
    if (this.#isClosed || this.#isLost || this.#unsettled !== undefined) return false;
    const since = this.#appendSinceMs;
    return since === undefined || this.#parts.clock.monotonicMs() - since <= this.#options.waitMsMax;
  }

  #start(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    // After the current turn, so that all records of it share the first write.
    this.#drained = Promise.resolve().then(() => this.#drain());
  }

  /** One write in flight; everything that waits goes into the next one. Never throws. */
  async #drain(): Promise<void> {
    while (this.#hasWork()) {
      if (this.#unsettled !== undefined && !(await this.#settle(this.#unsettled))) break;
      const batch = this.#takeBatch();
      if (batch.lines.length > 0 && !(await this.#write(batch))) break;
    }
    // In the same turn as the last look at the queue: who comes after it starts anew.
    this.#isDraining = false;
  }

  #hasWork(): boolean {
    if (this.#isLost || this.#isResting) return false;
    return this.#queue.length > 0 || this.#unsettled !== undefined;
  }

  #takeBatch(): Batch {
    const waiting = this.#queue.take(BATCH_RECORDS_MAX);
    return { waiting, lines: waiting.map((each) => this.#encode(each.entry, each.timeUs)) };
  }

  #encode(entry: AuditEntry, timeUs: number): Line {
    this.#seq += 1;
    this.#lastUs = Math.max(this.#lastUs, timeUs);
    const { node, writer } = this.#options;
    const id = newId(this.#parts.random);
    return encodeLine(entry, { id, time: printTime(this.#lastUs), node, writer, seq: this.#seq });
  }

  async #write(batch: Batch): Promise<boolean> {
    const text = batch.lines.map((line) => `${line.text}\n`).join('');
    try {
      await this.#append(text);
    } catch (error) {
      this.#suspect(text, batch, error);
      return false;
    }
    batch.waiting.forEach((each, index) => {
      const line = batch.lines[index];
      if (line !== undefined && !each.isLate) each.onDurable?.(line.record);
      if (each.isLate) this.#tellLate(each.entry);
    });
    return true;
  }

  /** The record says one thing and its caller was answered 503: say so. */
  #tellLate(entry: AuditEntry): void {
    const { requestId, action } = entry;
    this.#enqueueOrCount({
      kind: 'completion',
      requestId,
      action,
      outcome: 'refused',
      status: 503,
      reason: 'audit.late',
    });
  }

  async #append(text: string): Promise<void> {
    this.#appendSinceMs = this.#parts.clock.monotonicMs();
    try {
      await this.#series.append(Buffer.from(text, 'latin1'));
    } finally {
      this.#appendSinceMs = undefined;
    }
  }

  #suspect(text: string, batch: Batch, cause: unknown): void {
    const first = batch.lines[0]?.record.seq;
    const last = batch.lines.at(-1)?.record.seq;
    const entry = this.#systemEntry('log.recovered', {
      reason: `write.${codeOf(cause)}`,
      count: batch.lines.length,
      note: `a write failed; records ${first} to ${last} were answered 503, whatever they say`,
    });
    const last503 = this.#encode(entry, this.#lastUs);
    this.#unsettled = { text: `${text}${last503.text}\n`, count: batch.lines.length };
    this.#failed(cause);
    for (const each of batch.waiting) each.onFailed?.(cause);
  }

  /** @returns whether the lines of the failed append are durable now. */
  async #settle(unsettled: Unsettled): Promise<boolean> {
    try {
      await this.#append(unsettled.text);
    } catch (error) {
      this.#failed(error);
      return false;
    }
    this.#unsettled = undefined;
    this.#retryMs = RETRY_MS;
    this.#parts.logger.info('access log writable again', {
      writer: this.#options.writer,
      records: unsettled.count,
    });
    return true;
  }

  #failed(cause: unknown): void {
    this.#isLost = cause instanceof LockLost;
    const { writer } = this.#options;
    this.#parts.logger.error('access log not writable', { writer, code: codeOf(cause) }, cause);
    this.#queue.fail(cause);
    if (this.#isLost || this.#isClosed) return;
    this.#isResting = true;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      this.#isResting = false;
      this.#start();
    }, this.#retryMs);
    this.#retryTimer.unref();
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX);
  }
}

interface Batch {
  readonly waiting: readonly Waiting[];
  readonly lines: readonly Line[];
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
