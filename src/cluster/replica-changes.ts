import { type Change, type Clock, type Logger, SECOND_MS } from '../base/index.ts';
import type { ChangeLog, ReplicaLine } from './ports.ts';
import type { RedisChanges } from './redis-changes.ts';

/** What this replica hears of the others. */
export interface ReplicaChanges {
  /** Tells the others at once, as far as they can be reached; what they miss they read in the log. */
  publish(changes: readonly Change[]): Promise<void>;
  /** Whether everything that others changed more than a second ago has been heard of. */
  isWhole(): boolean;
  close(): Promise<void>;
}

export interface ReplicaChangesOptions {
  /** Milliseconds between two looks into the log. */
  readonly lookMs?: number;
}

const LOOK_MS = 250;
/** Older knowledge of the log is none. */
const SILENCE_MS_MAX = SECOND_MS;
const PRUNE_EVERY_MS = 60 * SECOND_MS;

/**
 * Hears of changes in two ways. The log in SQL has every one of them in order and is looked into all the time: it says
 * what is true even where messages go astray, where Redis is away or lies, and of replicas never heard of. Redis is
 * faster. Either of them whole is enough; without both, all that is cached is dropped and then lives two seconds at most.
 *
 * @param parts.line to the processes of this node.
 * @throws {Fault} the log cannot be read.
 */
export async function openReplicaChanges(
  options: ReplicaChangesOptions,
  parts: {
    readonly log: ChangeLog;
    readonly redis: RedisChanges | undefined;
    readonly line: ReplicaLine;
    readonly clock: Clock;
    readonly logger: Logger;
  },
): Promise<ReplicaChanges> {
  const { log, redis, line, clock, logger } = parts;
  let asOfMs = clock.monotonicMs();
  let last = await log.newest();
  let wasWhole = true;
  let isClosed = false;
  let prunedAtMs = asOfMs;

  const isLogWhole = (): boolean => clock.monotonicMs() - asOfMs <= SILENCE_MS_MAX;
  const isWhole = (): boolean => isLogWhole() || redis?.changes.lifetimeMsMax() === Number.POSITIVE_INFINITY;

  async function look(): Promise<void> {
    const startedMs = clock.monotonicMs();
    if (isLogWhole()) {
      const { entries, newest } = await log.after(last);
      const changes = entries.flatMap((entry) => entry.changes);
      if (changes.length > 0) await line.publish(changes);
      last = newest;
    } else {
      // Whoever slept too long may find entries gone: what was read before this moment counts no more.
      const newest = await log.newest();
      await line.lose();
      last = newest;
    }
    asOfMs = startedMs;
    if (startedMs - prunedAtMs < PRUNE_EVERY_MS) return;
    prunedAtMs = startedMs;
    await log.prune();
  }

  function watch(): void {
    const isNow = isWhole();
    if (wasWhole && !isNow) {
      logger.warn('neither the database nor Redis tells of changes; what is cached lives 2 s at most');
      void line.lose();
    }
    wasWhole = isNow;
  }

  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    watch();
    looking ??= look()
      .catch((error: unknown) => logger.debug('the log of changes was not read', { reason: String(error) }))
      .finally(() => {
        looking = undefined;
      });
  }, options.lookMs ?? LOOK_MS);

  redis?.changes.onChange((change) => void line.publish([change]));
  redis?.changes.onLost(() => {
    // As long as the log is read, nothing is missed with Redis but speed.
    if (!isLogWhole()) void line.lose();
  });

  return {
    publish: async (changes) => redis?.publish(changes),
    isWhole: () => !isClosed && isWhole(),
    async close() {
      isClosed = true;
      clearInterval(timer);
      await looking;
      await redis?.close();
    },
  };
}
