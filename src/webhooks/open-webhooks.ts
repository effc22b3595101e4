import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, type Logger, MINUTE_MS, newId, type Random, SECOND_MS } from '../base/index.ts';
import { createPoster, type PostTarget } from '../outlets/index.ts';
import { createCollector, type RecordLog } from './collector.ts';
import { printEvent, type Wish } from './events.ts';
import type { DeadMessage, WebhookQueue } from './ports.ts';
import { createSender } from './sender.ts';
import { type Judge, watchAdmitted } from './watch.ts';

/** One webhook of the configuration. */
export interface WebhookOptions extends Wish, PostTarget {
  readonly secrets: readonly string[];
  readonly retryForMs: number;
}

/** How one webhook is. */
export interface WebhookState {
  readonly name: string;
  readonly host: string;
  readonly events: readonly string[];
  readonly repositories: string;
  readonly isHealthy: boolean;
  readonly waiting: number;
  readonly dead: number;
  readonly lastError?: string;
  readonly lastSentAtMs?: number;
  /** The newest that were given up. */
  readonly lastDead: readonly DeadMessage[];
}

export type TestResult =
  | { readonly outcome: 'taken' }
  | { readonly outcome: 'unknown' }
  | { readonly outcome: 'failed'; readonly reason: string };

export interface Webhooks {
  states(): Promise<readonly WebhookState[]>;
  /** Sends a message now, past the queue. */
  test(name: string): Promise<TestResult>;
  /** Facts or policies changed: what was admitted is looked at again soon. */
  heard(): void;
  close(): Promise<void>;
}

export interface WebhooksParts {
  readonly log: RecordLog;
  readonly queue: WebhookQueue;
  readonly judge: Judge;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const INTERVAL_MS = SECOND_MS / 2;
/** Changes come in flocks; one look is for all of them. */
const WATCH_MS_MIN = 5 * SECOND_MS;
/** Time passes, too: a waiver that ended, a scan that is too old. */
const WATCH_MS_MAX = 10 * MINUTE_MS;
const SWEEP_EVERY_MS = 10 * MINUTE_MS;
const DEAD_SHOWN = 10;

/** Opens the webhooks of a node. Each has a loop of its own: one that is away holds up nobody else. */
export function openWebhooks(
  {
    node,
    source,
    webhooks,
    isSending,
  }: {
    readonly node: string;
    readonly source: string;
    readonly webhooks: readonly WebhookOptions[];
    /** Whether the loops run; else it only answers. */
    readonly isSending: boolean;
  },
  parts: WebhooksParts,
): Webhooks {
  const { queue, clock, random, logger } = parts;
  const ending = new AbortController();
  const { signal } = ending;
  const lines = webhooks.map((options) => {
    const poster = createPoster(options);
    return { options, poster, sender: createSender(options, { ...parts, poster }) };
  });

  /** Repeats a step until the end; what throws is tried again. */
  async function repeat(step: () => Promise<boolean>, pauseMs: number): Promise<void> {
    while (!signal.aborted) {
      const isMore = await step().catch((error: unknown) => {
        logger.warn('webhooks wait for the database', { reason: String(error) });
        return false;
      });
      // The end ends the pause, too.
      if (!isMore) await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  let isDirty = true;
  let watchedAtMs = Number.NEGATIVE_INFINITY;
  let sweptAtMs = Number.NEGATIVE_INFINITY;
  const watchers = webhooks.filter(({ events }) => events.includes('vulnerability.found'));
  async function watch(): Promise<boolean> {
    const nowMs = clock.monotonicMs();
    if (nowMs - sweptAtMs >= SWEEP_EVERY_MS) {
      sweptAtMs = nowMs;
      await queue.sweep(
        webhooks.map(({ name }) => name),
        clock.nowMs(),
      );
    }
    const sinceMs = nowMs - watchedAtMs;
    if (watchers.length === 0 || sinceMs < (isDirty ? WATCH_MS_MIN : WATCH_MS_MAX)) return false;
    isDirty = false;
    watchedAtMs = nowMs;
    await watchAdmitted({ source, wishes: watchers }, parts, signal);
    return false;
  }

  const collector = createCollector({ node, source, wishes: webhooks }, parts);
  const running =
    webhooks.length === 0 || !isSending
      ? []
      : [
          repeat(collector.collect, INTERVAL_MS),
          repeat(watch, INTERVAL_MS),
          ...lines.map(({ sender }) => repeat(() => sender.step(signal), INTERVAL_MS)),
        ];

  return {
    async states() {
      const counts = await queue.counts();
      return Promise.all(
        lines.map(async ({ options: { name, url, events, repositories }, sender }) => {
          const { delivered: _delivered, ...state } = sender.state();
          const { waiting = 0, dead = 0 } = counts.find(({ webhook }) => webhook === name) ?? {};
          const lastDead = dead === 0 ? [] : await queue.listDead(name, DEAD_SHOWN);
          return { name, host: new URL(url).host, events, repositories, waiting, dead, lastDead, ...state };
        }),
      );
    },
    async test(name) {
      const line = lines.find(({ options }) => options.name === name);
      if (!line) return { outcome: 'unknown' };
      const [id, atMs] = [newId(random), clock.nowMs()];
      const data = { text: 'This webhook works.' };
      const body = printEvent({ ...{ id, atMs, data }, event: 'webhook.test' }, source);
      try {
        await line.sender.sendNow({ id, webhook: name, event: 'webhook.test', body });
        return { outcome: 'taken' };
      } catch (error) {
        return { outcome: 'failed', reason: error instanceof Error ? error.message : String(error) };
      }
    },
    heard() {
      isDirty = true;
    },
    async close() {
      ending.abort();
      await Promise.all(running);
      await Promise.all(lines.map(({ poster }) => poster.close()));
    },
  };
}
