import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Logger, Random } from '../base/index.ts';
import { backoffMs } from './backoff.ts';
import type { OutletState } from './pump.ts';

/** The newest checkpoint of the log: a signed note (C2SP tlog-checkpoint). */
export interface HeadNote {
  readonly note: string;
  readonly origin: string;
  /** Records that it covers. */
  readonly size: number;
}

/** Port: where checkpoints come from. */
export interface HeadSource {
  /** @returns `undefined` while the log has none. */
  newest(): Promise<HeadNote | undefined>;
  /** The body of an `add-checkpoint` (C2SP tlog-witness) for a witness that knows the log at `oldSize`. */
  printAddCheckpoint(head: HeadNote, oldSize: number): Promise<string>;
}

/** The other end: a place that keeps checkpoints, where who runs the server cannot take them back. */
export interface Keeper {
  /** Resolves when the checkpoint is kept there. @throws {Error} it is not, or nobody knows; a newer one comes then. */
  keep(head: HeadNote, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface WitnessOptions {
  readonly name: string;
  readonly kind: string;
  /** How often a checkpoint is sent when the log has grown, in milliseconds. */
  readonly everyMs: number;
  /** A keeper that has not answered after so long has failed, in milliseconds. */
  readonly sendMsMax: number;
}

interface WitnessParts {
  readonly source: HeadSource;
  readonly keeper: Keeper;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Sends the newest checkpoint to one keeper again and again. One that was missed is not sent later: each holds all that
 * is before it.
 */
export class Witness {
  readonly #options: WitnessOptions;
  readonly #parts: WitnessParts;
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #kept: HeadNote | undefined;
  #newest = 0;
  #failures = 0;
  #lastError: string | undefined;
  #lastSentAtMs: number | undefined;

  constructor(options: WitnessOptions, parts: WitnessParts) {
    this.#options = options;
    this.#parts = parts;
    this.#running = this.#run();
  }

  /** As of an outlet: what is behind are the records that no kept checkpoint covers. */
  state(): OutletState {
    const { name, kind } = this.#options;
    const next = this.#kept?.size ?? 0;
    return {
      ...{ name, kind, next, lag: Math.max(0, this.#newest - next), rejected: 0 },
      isHealthy: this.#failures === 0,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(this.#lastSentAtMs === undefined ? {} : { lastSentAtMs: this.#lastSentAtMs }),
    };
  }

  /** Sends what is newest once more, so that a stop leaves nothing uncovered, and ends. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#running;
    await this.#step().catch(() => undefined);
    await this.#parts.keeper.close();
  }

  async #run(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      let pauseMs = this.#options.everyMs;
      try {
        await this.#step();
        this.#failures = 0;
      } catch (error) {
        pauseMs = this.#fail(error);
      }
      // The end of the witness ends the pause, too.
      await sleep(pauseMs, undefined, { signal: this.#ending.signal, ref: false }).catch(() => undefined);
    }
  }

  async #step(): Promise<void> {
    const { source, keeper, clock } = this.#parts;
    const head = await source.newest();
    if (head === undefined) return;
    this.#newest = head.size;
    if (head.note === this.#kept?.note) return;
    await keeper.keep(head, AbortSignal.timeout(this.#options.sendMsMax));
    this.#kept = head;
    this.#lastSentAtMs = clock.nowMs();
  }

  /** @returns when to try again. */
  #fail(error: unknown): number {
    const { random, logger } = this.#parts;
    this.#failures += 1;
    this.#lastError = error instanceof Error ? error.message : String(error);
    if (this.#failures === 1) {
      logger.error('a witness did not take a checkpoint of the access log, will retry', {
        outlet: this.#options.name,
        reason: this.#lastError,
      });
    }
    return backoffMs(this.#failures, random);
  }
}
