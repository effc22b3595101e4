import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Logger, Random } from '../base/index.ts';
import { backoffMs } from './backoff.ts';
import type { Cursor, OutletRecord, Receiver, RecordSource } from './ports.ts';

export interface PumpOptions {
  readonly name: string;
  readonly kind: string;
  /** Leaves of one batch. */
  readonly batchCount: number;
  /** How often the log is looked at when all is sent, in milliseconds. */
  readonly intervalMs: number;
  /** A batch that is not taken after so long counts as failed, in milliseconds. */
  readonly sendMsMax: number;
}

export interface PumpParts {
  readonly source: RecordSource;
  readonly receiver: Receiver;
  readonly cursor: Cursor;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** How one outlet is. */
export interface OutletState {
  readonly name: string;
  readonly kind: string;
  /** The first leaf that was not delivered. */
  readonly next: number;
  /** Leaves under the checkpoint that were not delivered. */
  readonly lag: number;
  readonly isHealthy: boolean;
  /** Records that the receiver will never take. */
  readonly rejected: number;
  readonly lastError?: string;
  readonly lastSentAtMs?: number;
}

/** Sends the records of the log to one receiver: all, in order, each at least once. */
export class Pump {
  readonly #options: PumpOptions;
  readonly #parts: PumpParts;
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #next = 0;
  #failures = 0;
  #rejected = 0;
  #lastError: string | undefined;
  #lastSentAtMs: number | undefined;
  /** Where the batch before began: what has no answer is sent from there again. */
  #before = 0;

  constructor(options: PumpOptions, parts: PumpParts) {
    this.#options = options;
    this.#parts = parts;
    this.#running = this.#run();
  }

  state(): OutletState {
    const { name, kind } = this.#options;
    return {
      ...{ name, kind, next: this.#next, lag: Math.max(0, this.#parts.source.size() - this.#next) },
      ...{ isHealthy: this.#failures === 0, rejected: this.#rejected },
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(this.#lastSentAtMs === undefined ? {} : { lastSentAtMs: this.#lastSentAtMs }),
    };
  }

  /** The first leaf that may have to be sent again. */
  neededFrom(): number {
    return this.#before;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#running;
    await this.#parts.receiver.close();
  }

  async #run(): Promise<void> {
    let isLoaded = false;
    while (!this.#ending.signal.aborted) {
      try {
        if (!isLoaded) {
          this.#next = await this.#parts.cursor.load();
          this.#before = this.#next;
          isLoaded = true;
        }
        const isCaughtUp = !(await this.#step());
        this.#failures = 0;
        if (isCaughtUp) await this.#pause(this.#options.intervalMs);
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        await this.#fail(error);
      }
    }
  }

  /** @returns whether there was anything to send. */
  async #step(): Promise<boolean> {
    const { source, cursor, clock } = this.#parts;
    const from = this.#next;
    const to = Math.min(source.size(), from + this.#options.batchCount);
    if (from >= to) return false;
    const records = await source.read(from, to);
    if (records.length > 0) await this.#send(records);
    // The cursor follows what was delivered, never the other way round.
    await cursor.save(this.#parts.receiver.isConfirmed ? to : from);
    this.#before = from;
    this.#next = to;
    this.#lastSentAtMs = clock.nowMs();
    return true;
  }

  async #send(records: readonly OutletRecord[]): Promise<void> {
    const { receiver, logger } = this.#parts;
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(this.#options.sendMsMax)]);
    const rejected = await receiver.send(records, signal);
    if (rejected === undefined) return;
    this.#rejected += rejected.count;
    this.#lastError = `${rejected.count} records were not taken: ${rejected.reason}`;
    logger.error('an outlet will never take some records', {
      outlet: this.#options.name,
      count: rejected.count,
      reason: rejected.reason,
    });
  }

  async #fail(error: unknown): Promise<void> {
    const { random, logger, receiver } = this.#parts;
    this.#failures += 1;
    this.#lastError = error instanceof Error ? error.message : String(error);
    // Without an answer nobody knows what of the batch before got through.
    if (!receiver.isConfirmed) this.#next = this.#before;
    if (this.#failures === 1) {
      logger.warn('an outlet does not take records, will retry', {
        outlet: this.#options.name,
        reason: this.#lastError,
      });
    }
    await this.#pause(backoffMs(this.#failures, random));
  }

  async #pause(ms: number): Promise<void> {
    // The end of the pump ends the pause, too.
    await sleep(ms, undefined, { signal: this.#ending.signal, ref: false }).catch(() => undefined);
  }
}
