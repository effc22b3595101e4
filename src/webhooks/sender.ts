import { type Clock, type Logger, type Random, SECOND_MS } from '../base/index.ts';
import { backoffMs, NotTaken, type Poster, signatureHeaders } from '../outlets/index.ts';
import type { Message, TakenMessage, WebhookQueue } from './ports.ts';

export interface SenderOptions {
  readonly name: string;
  /** Each signs every body; several while one takes the place of another. */
  readonly secrets: readonly string[];
  /** How long a message is tried from when it was queued, in milliseconds. */
  readonly retryForMs: number;
}

export interface SenderState {
  readonly isHealthy: boolean;
  readonly delivered: number;
  readonly lastError?: string;
  readonly lastSentAtMs?: number;
}

export interface Sender {
  /** Sends the oldest message, if its time has come. @returns whether there may be another at once. */
  step(stop: AbortSignal): Promise<boolean>;
  /** Sends a message past the queue, once. @throws {Error} it was not taken. */
  sendNow(message: Message): Promise<void>;
  state(): SenderState;
}

const SEND_MS_MAX = 15 * SECOND_MS;
/** Longer than any try, so that no other replica sends the same meanwhile. */
const LEASE_MS = 20 * SECOND_MS;
/** A receiver that says that a message is wrong is asked so often whether it meant it. */
const REFUSED_TRIES_MAX = 5;
const LATER: ReadonlySet<number> = new Set([408, 425, 429]);

/**
 * Delivers the messages of one webhook: in order, each at least once. One that is refused (4xx) is given up after
 * five tries, one without answer when it is too old: nothing blocks what is behind it for ever.
 */
export function createSender(
  { name, secrets, retryForMs }: SenderOptions,
  parts: {
    readonly queue: WebhookQueue;
    readonly poster: Pick<Poster, 'post'>;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
  },
): Sender {
  const { queue, poster, clock, random, logger } = parts;
  let delivered = 0;
  let lastError: string | undefined;
  let lastSentAtMs: number | undefined;
  let isHealthy = true;

  async function post({ id, body }: Message, stop?: AbortSignal): Promise<void> {
    const signed = signatureHeaders({ id, atMs: clock.nowMs(), body }, ...secrets);
    const timeout = AbortSignal.timeout(SEND_MS_MAX);
    const signal = stop ? AbortSignal.any([stop, timeout]) : timeout;
    await poster.post(body, { 'content-type': 'application/cloudevents+json', ...signed }, signal);
  }

  async function fail(message: TakenMessage, error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    const tries = message.attempts + 1;
    const nowMs = clock.nowMs();
    if (isHealthy) logger.warn('a webhook does not take a message, will retry', { outlet: name, reason });
    isHealthy = false;
    lastError = reason;
    const isOver = isRefused(error) ? tries >= REFUSED_TRIES_MAX : nowMs - message.queuedAtMs >= retryForMs;
    if (isOver) {
      logger.error('a message for a webhook was given up', { outlet: name, reason, attempts: tries });
      await queue.bury(message, reason);
    } else {
      await queue.retry(message, { notBeforeMs: nowMs + backoffMs(tries, random), reason });
    }
  }

  return {
    async step(stop) {
      const message = await queue.take(name, clock.nowMs(), LEASE_MS);
      if (message === undefined) return false;
      try {
        await post(message, stop);
      } catch (error) {
        // A stop is no failure: the message is free again for whoever starts next.
        if (stop.aborted) await queue.retry(message, { notBeforeMs: 0, reason: 'stopped' });
        else await fail(message, error);
        return true;
      }
      await queue.finish(message);
      isHealthy = true;
      delivered += 1;
      lastSentAtMs = clock.nowMs();
      return true;
    },
    sendNow: (message) => post(message),
    state: () => ({
      ...{ isHealthy, delivered },
      ...(lastError === undefined ? {} : { lastError }),
      ...(lastSentAtMs === undefined ? {} : { lastSentAtMs }),
    }),
  };
}

/** The receiver has seen the message and will not have it; a redirect is no receiver. */
function isRefused(error: unknown): boolean {
  return error instanceof NotTaken && error.status >= 300 && error.status < 500 && !LATER.has(error.status);
}
