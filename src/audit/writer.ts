import { join } from 'node:path';
import { type Clock, type Logger, MiB, newId, type Random, StartError } from '../base/index.ts';
import { Appender } from './appender.ts';
import { makeDirectory } from './disk.ts';
import { AuditUnavailable } from './faults.ts';
import { createGathering, type Gathering } from './gathering.ts';
import { takeLock } from './lock.ts';
import { createNotes, type Notes } from './notes.ts';
import { awaitDurable, createWaitingQueue, type Waiting } from './queue.ts';
import type { AccessRecord, Audit, AuditEntry } from './record.ts';
import { recoverWriter, type WriterStart } from './recover.ts';
import { createReserve, type Reserve } from './reserve.ts';
import { type Durability, type OpenSegment, openSegmentFile } from './segment-file.ts';
import { createSeries, type Series } from './series.ts';
import { isAuditEntry, isLogName } from './shape.ts';
import { createRecordTime, type RecordTime, STEP_MS_MIN } from './stamp.ts';
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
  /** This writer's share of the node's notes a second. Default 100. */
  readonly notesPerSecond?: number;
  /** Default 10. */
  readonly notesPerSecondAndAddress?: number;
  /** Entries that may wait for the disk at once. Default 20000. */
  readonly waitingMax?: number;
  /** Default 16 MiB. */
  readonly segmentBytesMax?: number;
  /** The room on the disk that is kept for administrators; default: none is. */
  readonly reserveBytes?: number;
}

export interface AuditWriterParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Opens the files; the real ones unless a test brings its own. */
  readonly openSegment?: OpenSegment;
}

export interface AuditWriter extends Audit {
  /** Writes what waits, then gives the writer's files free. */
  close(): Promise<void>;
}

const BATCH_RECORDS_MAX = 1024;
/** Turns of the event loop in which records gather: a write to the disk costs several times as much. */
const GATHER_TURNS: Readonly<Record<Durability, number>> = { disk: 20, os: 1 };
/** How often, in milliseconds, a writer without work looks whether its files are still there. */
const LOOK_MS = 1000;
/** So many records of administrators use the reserve before there is room again. */
const RESERVED_MAX = 1000;

/**
 * Opens the log for one writer: takes its lock, finds where its last process stopped, begins a new segment.
 *
 * @throws {StartError} another process writes as this writer, or a name is not fit for a file name.
 */
export async function openAuditWriter(
  options: AuditWriterOptions,
  parts: AuditWriterParts,
): Promise<AuditWriter> {
  const { directory, writer, durability } = options;
  for (const name of [options.node, writer]) {
    if (!isLogName(name)) {
      throw new StartError(
        `audit: "${name}" must be 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit`,
      );
    }
  }
  await makeDirectory(walDirectory(directory));
  const lock = await takeLock(join(walDirectory(directory), `${writer}.lock`), parts.random);
  try {
    const start = await recoverWriter(directory, writer);
    const segmentBytesMax = options.segmentBytesMax ?? 16 * MiB;
    let core: Writer | undefined;
    const series = createSeries(
      { directory, writer, durability, segmentBytesMax, firstNumber: start.nextNumber },
      {
        clock: parts.clock,
        openSegment: parts.openSegment ?? openSegmentFile,
        checkLock: () => lock.check(),
        onRescued: (rescued) => core?.tellRescued(rescued),
      },
    );
    const opened = new Writer(options, parts, series, start);
    core = opened;
    return { ...opened.audit(), close: () => opened.close().finally(() => lock.release()) };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

class Writer {
  readonly #options: AuditWriterOptions;
  readonly #parts: AuditWriterParts;
  readonly #appender: Appender;
  readonly #time: RecordTime;
  readonly #queue = createWaitingQueue();
  readonly #gathering: Gathering;
  readonly #notes: Notes;
  readonly #waitingMax: number;
  readonly #reserve: Reserve;
  /** Records of administrators since the disk became full. */
  #reservedCount = 0;
  readonly #looking: NodeJS.Timeout;
  #mustLook = false;
  #isDraining = false;
  #drained: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: AuditWriterOptions, parts: AuditWriterParts, series: Series, start: WriterStart) {
    this.#options = options;
    this.#parts = parts;
    this.#time = createRecordTime(parts.clock, start.newestUs);
    this.#reserve = createReserve(
      { directory: options.directory, bytes: options.reserveBytes ?? 0 },
      parts.clock,
    );
    this.#waitingMax = options.waitingMax ?? 20_000;
    this.#gathering = createGathering(GATHER_TURNS[options.durability], () => this.#queue.length);
    this.#appender = new Appender(options, start, { ...parts, series, onRested: () => this.#start() });
    const limits = {
      notesPerSecond: options.notesPerSecond ?? 100,
      notesPerSecondAndAddress: options.notesPerSecondAndAddress ?? 10,
    };
    this.#notes = createNotes(limits, { ...parts, pass: (summary) => this.#enqueueOrCount(summary) });
    this.#looking = setInterval(() => this.#look(), LOOK_MS).unref();
    // Whatever an earlier process of this writer had begun and not told the end of, has ended.
    if (start.lastSeq > 0) this.#system('log.reopened', {});
    const behindMs = Math.round(start.newestUs / 1000 - parts.clock.nowMs());
    if (behindMs > STEP_MS_MIN) {
      this.#system('clock.step', { note: `the wall clock is ${behindMs} ms behind the newest record` });
    }
    for (const { segment, bytes, sha256 } of start.torn) {
      const note = `segment ${segment} ended with ${bytes} bytes nobody was answered for, sha256:${sha256}`;
      this.#system('log.recovered', { bytes, reason: 'torn-tail', note });
    }
  }

  audit(): Audit {
    return {
      record: (entry, options) => this.#record(entry, options?.isAdministrator === true),
      note: (entry) => {
        if (this.#isFit(entry) && this.#notes.admit(entry)) this.#enqueueOrCount(entry);
      },
      complete: (entry) => {
        if (this.#isFit(entry)) this.#enqueueOrCount(entry);
      },
      isWritable: () => this.#isWritable(),
    };
  }

  async close(): Promise<void> {
    const { waitMsMax } = this.#options;
    clearInterval(this.#looking);
    this.#notes.flush();
    this.#isClosed = true;
    await Promise.race([this.#drainAll(), later(waitMsMax)]);
    this.#queue.fail(new Error('the log was closed'));
    await Promise.race([this.#appender.close(), later(waitMsMax)]);
  }

  /** Its lines are safe again, and the log says that somebody was at its files. */
  tellRescued({ segment, bytes }: { readonly segment: number; readonly bytes: number }): void {
    const { writer } = this.#options;
    this.#parts.logger.warn('a file of the access log was removed or renamed in use; its lines are safe', {
      ...{ writer, segment, bytes },
    });
    const note = `segment ${segment} was removed or renamed in use; what the log did not hold of it was written again`;
    this.#system('log.recovered', { bytes, reason: 'segment-gone', note });
  }

  /** A busy writer looks by itself, with its appends. */
  #look(): void {
    this.#mustLook = !this.#isDraining && !this.#isClosed;
    if (this.#mustLook) this.#start();
  }

  async #drainAll(): Promise<void> {
    await this.#drained;
    this.#appender.wake();
    this.#start();
    await this.#drained;
  }

  #record(entry: AuditEntry, isAdministrator: boolean): Promise<AccessRecord> {
    if (!isAuditEntry(entry)) return Promise.reject(new TypeError('not an audit entry'));
    try {
      const refusal = isAdministrator ? this.#whyNotForAdministrators() : this.#whyNot();
      if (refusal !== undefined) throw new Error(refusal);
    } catch (error) {
      return Promise.reject(new AuditUnavailable(error));
    }
    const { waiting, record } = awaitDurable(entry, this.#time.nowUs(), this.#options.waitMsMax);
    this.#push(waiting);
    return record;
  }

  /** Nobody waits for a note, so a bug in one is told to the operational log only. */
  #isFit(entry: AuditEntry): boolean {
    const isFit: boolean = isAuditEntry(entry);
    if (!isFit)
      this.#parts.logger.error('not an audit entry, not recorded', { action: String(entry.action) });
    return isFit;
  }

  #whyNot(): string | undefined {
    if (this.#isClosed) return 'the log is closed';
    if (this.#appender.isLost) return 'another process took over this writer';
    if (this.#queue.length >= this.#waitingMax) return `${this.#waitingMax} records wait already`;
    if (this.#appender.isResting) return 'the last write failed a moment ago';
    if (!this.#reserve.isDrawnOn()) {
      this.#reservedCount = 0;
      return undefined;
    }
    return 'the disk is full, and what is left is kept for administrators';
  }

  /** Sets room free for one more record of theirs; only so many as are needed to free space. */
  #whyNotForAdministrators(): string | undefined {
    this.#reserve.makeRoom();
    if (!this.#reserve.isDrawnOn()) return this.#whyNot();
    if (this.#isClosed || this.#appender.isLost) return this.#whyNot();
    this.#reservedCount += 1;
    if (this.#reservedCount > RESERVED_MAX)
      return `${RESERVED_MAX} records of administrators used the reserve`;
    this.#appender.wake();
    return undefined;
  }

  #enqueueOrCount(entry: AuditEntry): void {
    if (this.#isClosed || this.#appender.isLost) return;
    // Nobody waits for these: while room is kept for administrators they are counted.
    if (this.#queue.length < this.#waitingMax && !this.#reserve.isDrawnOn())
      this.#push({ entry, timeUs: this.#time.nowUs(), isLate: false });
    else this.#notes.count(entry);
  }

  #push(waiting: Waiting): void {
    const stepMs = this.#time.takeStep();
    if (stepMs !== undefined) {
      this.#system('clock.step', { note: `the wall clock moved by ${Math.round(stepMs)} ms` });
    }
    this.#queue.push(waiting);
    this.#start();
  }

  #system(action: string, rest: Pick<AuditEntry, 'reason' | 'note' | 'bytes'>): void {
    const requestId = newId(this.#parts.random);
    this.#enqueueOrCount({ kind: 'system', requestId, action, outcome: 'allowed', status: 0, ...rest });
  }

  #isWritable(): boolean {
    if (this.#isClosed || this.#appender.isLost || !this.#appender.isSettled) return false;
    if (this.#reserve.isDrawnOn()) return false;
    return this.#appender.inFlightMs <= this.#options.waitMsMax;
  }

  #start(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#drained = this.#drain();
  }

  /** One write in flight; everything that waits goes into the next one. */
  async #drain(): Promise<void> {
    try {
      while (this.#hasWork()) {
        await this.#gathering.wait();
        await this.#appender.settle();
        if (this.#mustLook) await this.#appender.look();
        this.#mustLook = false;
        await this.#write(this.#queue.take(BATCH_RECORDS_MAX));
      }
    } catch (error) {
      // The appender has logged it. Who waits is told; what nobody waits for is written when the disk is back.
      this.#queue.fail(error);
    }
    // In the same turn as the last look at the queue: who comes after it starts anew.
    this.#isDraining = false;
  }

  #hasWork(): boolean {
    if (this.#appender.isLost || this.#appender.isResting) return false;
    return this.#queue.length > 0 || this.#mustLook || !this.#appender.isSettled;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    if (batch.length === 0) return;
    try {
      const lines = await this.#appender.append(batch);
      this.#gathering.wrote(batch.length);
      for (const [index, line] of lines.entries()) batch[index]?.onDurable?.(line.record);
    } catch (error) {
      for (const each of batch) each.onFailed?.(error);
      throw error;
    }
    for (const each of batch) if (each.isLate) this.#tellLate(each.entry);
  }

  /** The record says one thing and its caller was answered 503 meanwhile: the log says so. */
  #tellLate({ requestId, action }: AuditEntry): void {
    const reason = 'audit.late';
    this.#enqueueOrCount({ kind: 'completion', requestId, action, outcome: 'refused', status: 503, reason });
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
