import { type Clock, type Logger, MINUTE_MS } from '../base/index.ts';
import {
  type Content,
  collectGarbage,
  evictCached,
  GARBAGE_AGE_MS,
  sweepTemporary,
} from '../content/index.ts';
import { sweepUploads } from '../origin/index.ts';
import type { StoreWrites } from '../store/index.ts';
import type { NodeConfig } from './node-config.ts';
import type { Paths } from './paths.ts';

const EVERY_MS = 10 * MINUTE_MS;

/**
 * What must be tidied up as time goes by: uploads and pending links that are over, unfinished files, and content that
 * no repository links any more, and of what is merely cached the more than it may take.
 */
export function keepHouse(
  { config, paths }: { readonly config: NodeConfig; readonly paths: Paths },
  parts: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly store: StoreWrites;
    readonly content: Content;
  },
): { tidy(): Promise<void>; stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve();

  const tidy = async (): Promise<void> => {
    const nowMs = parts.clock.nowMs();
    let links = 0;
    // Links are common to all replicas; uploads and content are each one's own.
    const sweepLinks = async (): Promise<void> => {
      links = await parts.store.links.sweepPending(nowMs);
    };
    const { replicas } = parts.store;
    await (replicas ? replicas.alone.unlessTaken('tidy', sweepLinks) : sweepLinks());
    const uploads = await sweepUploads(paths.uploads, nowMs - config.limits.pendingMs);
    await sweepTemporary(paths.content, nowMs - GARBAGE_AGE_MS);
    const { count, bytes } = await collectGarbage(
      { beforeMs: nowMs - GARBAGE_AGE_MS, isDryRun: false },
      { content: parts.content, linkWrites: parts.store.links },
    );
    const evicted = await evictCached(
      { bytesMax: config.cache.bytesMax, beforeMs: nowMs - GARBAGE_AGE_MS },
      { content: parts.content, linkWrites: parts.store.links },
    );
    if (links + uploads + count + evicted.count > 0) {
      parts.logger.info('tidied up', {
        pendingLinks: links,
        uploads,
        contentFiles: count,
        contentBytes: bytes,
        evictedFiles: evicted.count,
        evictedBytes: evicted.bytes,
      });
    }
  };

  const timer = setInterval(() => {
    running = running.then(tidy).catch((error: unknown) => {
      parts.logger.error('tidying up failed; the next try is in ten minutes', {}, error);
    });
  }, EVERY_MS);
  timer.unref();
  return {
    tidy,
    stop() {
      clearInterval(timer);
      return running;
    },
  };
}
