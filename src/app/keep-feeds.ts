import { type Clock, type Logger, MINUTE_MS, SECOND_MS } from '../base/index.ts';
import { createFeedKeeper, type FeedKeeper } from '../feeds/index.ts';
import { FEED_NAMES } from '../policy/index.ts';
import type { StoreWrites } from '../store/index.ts';
import type { Metrics } from '../telemetry/index.ts';
import { createFetchFeed } from './fetch-feed.ts';
import type { NodeConfig } from './node-config.ts';

const EVERY_MS = MINUTE_MS;

interface FeedParts {
  readonly store: StoreWrites;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The feeds of the configuration; of replicas, the one that looks first loads them for all. */
export function openFeeds({ feeds }: NodeConfig, parts: FeedParts): FeedKeeper {
  const { store } = parts;
  const keeper = createFeedKeeper(feeds, {
    ...parts,
    reads: store.facts,
    writes: store.feeds,
    fetch: createFetchFeed(feeds),
  });
  const { replicas } = store;
  if (!replicas) return keeper;
  return {
    refreshDue: async () => void (await replicas.alone.unlessTaken('feeds', keeper.refreshDue)),
    refreshAll: async () => void (await replicas.alone.unlessTaken('feeds', keeper.refreshAll)),
  };
}

/** Loads what is due now and as time goes by, and measures how old it is. */
export function keepFeeds(
  { feeds }: NodeConfig,
  keeper: FeedKeeper,
  parts: FeedParts & { readonly metrics: Metrics },
): { stop(): Promise<void> } {
  const { store, clock, logger } = parts;
  const names = FEED_NAMES.filter((name) => feeds.sources[name] !== undefined);
  if (names.length === 0) return { stop: async () => {} };
  for (const name of names) {
    parts.metrics.gauge({
      name: `dockgate_feed_${name}_age_seconds`,
      help: `How old the ${name} feed is; since 1970 where none was ever loaded.`,
      async read() {
        const feed = (await store.facts.listFeeds()).find((one) => one.name === name);
        return (clock.nowMs() - (feed?.content?.asOfMs ?? 0)) / SECOND_MS;
      },
    });
  }
  parts.metrics.gauge({
    name: 'dockgate_feeds_failing',
    help: 'Feeds that could not be loaded at the last try.',
    async read() {
      const kept = await store.facts.listFeeds();
      return kept.filter(({ name, tried }) => names.includes(name) && tried?.problem !== undefined).length;
    },
  });
  let running = Promise.resolve();
  const look = (): void => {
    running = running.then(keeper.refreshDue).catch((error: unknown) => {
      logger.error('the feeds could not be looked at; the next look is in a minute', {}, error);
    });
  };
  look();
  const timer = setInterval(look, EVERY_MS);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
      return running;
    },
  };
}
