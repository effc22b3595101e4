import { hash } from 'node:crypto';
import { type Clock, DAY_MS, type Logger, MINUTE_MS } from '../base/index.ts';
import type { FeedName } from '../policy/index.ts';
import type { FactReads, FeedContent, FeedEntries, FeedWrites, KeptFeed } from '../verdicts/index.ts';
import { readEpss } from './read-epss.ts';
import { FeedProblem, type ReadFeed } from './read-feed.ts';
import { readKev } from './read-kev.ts';
import { type FeedFetch, isAddress, readSource } from './read-source.ts';

export interface FeedSettings {
  /** Path or https address of each feed that is used. */
  readonly sources: { readonly [Name in FeedName]?: string };
  /** How often to look for a new one. */
  readonly everyMs: number;
}

export interface FeedKeeperParts {
  readonly reads: Pick<FactReads, 'listFeeds'>;
  readonly writes: FeedWrites;
  readonly fetch: FeedFetch;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Keeps the feeds that are configured up to date. */
export interface FeedKeeper {
  /** Looks at those whose time has come. Never throws: what went wrong is noted beside the feed. */
  refreshDue(): Promise<void>;
  /** Looks at all of them now. */
  refreshAll(): Promise<void>;
}

/** A source that failed is asked again after so long. */
const AGAIN_MS = 10 * MINUTE_MS;
/** A list never shrinks to less than this part of the one before: then most of it is missing. */
const PART_MIN = 0.5;
/** A publisher's clock and ours may differ, and a day begins elsewhere earlier. */
const AHEAD_MS = 2 * DAY_MS;

const READERS: { readonly [Name in FeedName]: ReadFeed<Name> } = { epss: readEpss, kev: readKev };

export function createFeedKeeper(settings: FeedSettings, parts: FeedKeeperParts): FeedKeeper {
  const { reads, writes, clock, logger } = parts;
  let running: Promise<void> = Promise.resolve();

  async function look(name: FeedName, source: string, kept: FeedContent | undefined): Promise<void> {
    const same = kept?.source === source ? kept : undefined;
    const answered = await readSource(source, same ?? {}, parts);
    const nowMs = clock.nowMs();
    if ('isSame' in answered) return same && writes.confirmFeed(name, asOf(same, name, source, nowMs));
    const { bytes, ...validators } = answered;
    const revision = hash('sha256', bytes);
    const read: { readonly madeAtMs: number; readonly pieces: Iterable<FeedEntries[FeedName]> } =
      READERS[name](bytes);
    // It would be taken for new for years, and what comes after it for old.
    if (read.madeAtMs > nowMs + AHEAD_MS)
      throw new FeedProblem(`is of the future: ${printTime(read.madeAtMs)}`);
    const asOfMs = asOf(read, name, source, nowMs);
    if (same?.revision === revision) return writes.confirmFeed(name, asOfMs);
    if (same && read.madeAtMs < same.madeAtMs) {
      throw new FeedProblem(
        `is of ${printTime(read.madeAtMs)}, older than what is in force (${printTime(same.madeAtMs)})`,
      );
    }
    const content = { revision, asOfMs, source, madeAtMs: read.madeAtMs, ...validators };
    await writes.replaceFeed(name, content, checked(read.pieces, same?.entries ?? 0));
    logger.info('a feed was loaded', { feed: name, note: `of ${printTime(read.madeAtMs)}` });
  }

  async function refresh({ name, content }: KeptFeed): Promise<void> {
    const source = settings.sources[name];
    if (source === undefined) return;
    try {
      await look(name, source, content);
      await writes.noteTry(name, clock.nowMs());
    } catch (error) {
      const problem = `${source} ${textOf(error)}`;
      logger.error('a feed could not be loaded; the one before stays in force', { feed: name, problem });
      await writes.noteTry(name, clock.nowMs(), problem);
    }
  }

  function isDue({ name, tried, content }: KeptFeed): boolean {
    if (tried === undefined) return true;
    const sinceMs = clock.nowMs() - tried.atMs;
    if (tried.problem !== undefined) return sinceMs >= Math.min(AGAIN_MS, settings.everyMs);
    return sinceMs >= settings.everyMs || content?.source !== settings.sources[name];
  }

  /** One after the other, and never the same twice at once. */
  function refreshThose(which: (feed: KeptFeed) => boolean): Promise<void> {
    const mine = running.then(async () => {
      for (const feed of (await reads.listFeeds()).filter(which)) await refresh(feed);
    });
    running = mine.catch(() => {});
    return mine;
  }

  return {
    refreshDue: () =>
      refreshThose(isDue).catch((error: unknown) =>
        logger.error('the feeds could not be looked at; the next look is soon', {}, error),
      ),
    refreshAll: () => refreshThose(() => true),
  };
}

/**
 * Scores are of their day, whenever they come. The catalog is no daily list: it is true as long as its publisher
 * answers with it; of a file nobody knows that, so it is of its own date.
 */
function asOf(
  { madeAtMs }: { readonly madeAtMs: number },
  name: FeedName,
  source: string,
  nowMs: number,
): number {
  return name === 'kev' && isAddress(source) ? nowMs : Math.min(madeAtMs, nowMs);
}

function* checked(pieces: Iterable<FeedEntries[FeedName]>, before: number): Generator<FeedEntries[FeedName]> {
  let count = 0;
  for (const piece of pieces) {
    count += piece.length;
    yield piece;
  }
  if (count === 0 || count < before * PART_MIN) {
    throw new FeedProblem(`has ${count} entries, and the one before had ${before}: it was cut`);
  }
}

function printTime(atMs: number): string {
  return new Date(atMs).toISOString();
}

function textOf(error: unknown): string {
  if (error instanceof FeedProblem) return error.message;
  return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}
