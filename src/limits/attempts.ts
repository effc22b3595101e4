import type { Clock } from '../base/index.ts';
import { createBoundedMap } from './bounded-map.ts';
import { type Bucket, type BucketOptions, fullBucket, takeToken, waitMs } from './bucket.ts';

export interface AttemptOptions {
  /** Wrong passwords for one account from one source before the delay begins. */
  readonly freeCount: number;
  /** The first delay in milliseconds; it doubles with every further wrong password. */
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** Without a wrong password for so long, the account's count from the source begins anew. */
  readonly forgetMs: number;
  /** Wrong passwords from one source, whatever the account. */
  readonly source: BucketOptions;
  /** Wrong passwords for one account, whatever the source. */
  readonly account: BucketOptions;
  /** How long a source from which the right password came counts as known to the account. */
  readonly knownMs: number;
  /** Entries held of each kind; the oldest is forgotten first. */
  readonly entriesMax: number;
}

export const DEFAULT_ATTEMPT_OPTIONS: AttemptOptions = {
  freeCount: 5,
  delayMsMin: 1000,
  delayMsMax: 5 * 60_000,
  forgetMs: 60 * 60_000,
  source: { burst: 30, perSecond: 10 / 60 },
  account: { burst: 30, perSecond: 10 / 60 },
  knownMs: 30 * 24 * 60 * 60_000,
  entriesMax: 50_000,
};

/** Counts attempts to sign in, in memory. Nothing here waits; time comes from the clock that was handed in. */
export interface AttemptCounter {
  /** @returns 0 when a password may be tried now, else the milliseconds after which to come back. */
  delayMs(account: string, source: string): number;
  failed(account: string, source: string): void;
  succeeded(account: string, source: string): void;
}

interface Pair {
  readonly failedCount: number;
  readonly failedAtMs: number;
  readonly blockedUntilMs: number;
}

/**
 * Three limits on guessing. Account and source together: after some free tries, a delay that doubles. Source
 * alone: one password over many accounts. Account alone: many sources against one account. The last two do not
 * hold for a source from which this account has signed in before: whoever floods an account from elsewhere must
 * not be able to lock its owner out.
 */
export function createAttemptCounter(
  options: AttemptOptions,
  parts: { readonly clock: Clock },
): AttemptCounter {
  const pairs = createBoundedMap<Pair>(options.entriesMax);
  const sources = createBoundedMap<Bucket>(options.entriesMax);
  const accounts = createBoundedMap<Bucket>(options.entriesMax);
  const knownAtMs = createBoundedMap<number>(options.entriesMax);
  const now = () => parts.clock.monotonicMs();

  function findPair(key: string): Pair | undefined {
    const pair = pairs.get(key);
    if (pair === undefined || now() - pair.failedAtMs < options.forgetMs) return pair;
    pairs.delete(key);
    return undefined;
  }

  function isKnown(key: string): boolean {
    const atMs = knownAtMs.get(key);
    return atMs !== undefined && now() - atMs < options.knownMs;
  }

  function bucketWaitMs(bucket: Bucket | undefined, limit: BucketOptions): number {
    return bucket === undefined ? 0 : waitMs(bucket, limit, now());
  }

  return {
    delayMs(account, source) {
      const key = keyOf(account, source);
      const pair = findPair(key);
      const pairWaitMs = Math.max(0, Math.ceil((pair?.blockedUntilMs ?? 0) - now()));
      const sharedWaitMs = isKnown(key)
        ? 0
        : Math.max(
            bucketWaitMs(sources.get(source), options.source),
            bucketWaitMs(accounts.get(account), options.account),
          );
      const delay = Math.max(pairWaitMs, sharedWaitMs);
      // One try for each delay: else a hundred at once would all be let in before the first of them has failed.
      if (delay === 0 && pair !== undefined && pair.failedCount >= options.freeCount) {
        pairs.set(key, { ...pair, blockedUntilMs: now() + delayAfter(pair.failedCount, options) });
      }
      return delay;
    },
    failed(account, source) {
      const key = keyOf(account, source);
      const failedCount = (findPair(key)?.failedCount ?? 0) + 1;
      pairs.set(key, {
        failedCount,
        failedAtMs: now(),
        blockedUntilMs: now() + delayAfter(failedCount, options),
      });
      sources.set(source, take(sources.get(source), options.source, now()));
      accounts.set(account, take(accounts.get(account), options.account, now()));
    },
    succeeded(account, source) {
      const key = keyOf(account, source);
      pairs.delete(key);
      knownAtMs.set(key, now());
    },
  };
}

function take(bucket: Bucket | undefined, limit: BucketOptions, nowMs: number): Bucket {
  return takeToken(bucket ?? fullBucket(limit, nowMs), limit, nowMs);
}

/** The separator can be in no address, so no account's name can reach another pair. */
function keyOf(account: string, source: string): string {
  return `${source}\n${account}`;
}

function delayAfter(failedCount: number, options: AttemptOptions): number {
  if (failedCount < options.freeCount) return 0;
  // Beyond 2^30 the doubling would only leave the range of numbers, not the maximum.
  const doublings = Math.min(30, failedCount - options.freeCount);
  return Math.min(options.delayMsMax, options.delayMsMin * 2 ** doublings);
}
