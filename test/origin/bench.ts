import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createManualClock,
  HOUR_MS,
  type ManualClock,
  silentLogger,
  systemRandom,
} from '../../src/base/index.ts';
import { type Content, openContent, type Source } from '../../src/content/index.ts';
import { createOrigin, type OriginOptions } from '../../src/origin/index.ts';
import { openStoreWrites, type StoreWrites } from '../../src/store/index.ts';
import type { SourceUnderTest } from '../contracts/source-bench.ts';

export interface OriginUnderTest extends SourceUnderTest {
  readonly directory: string;
  readonly content: Content;
  readonly store: StoreWrites;
  readonly clock: ManualClock;
  /** Opens the same content once more, as another process would: with nothing in memory. */
  reopenContent(): Promise<Content>;
  /** Over the same files and database, with other limits. */
  sourceWith(options: Partial<OriginOptions>): Source;
}

/** Open uploads of one principal. */
export const SESSIONS_MAX = 50;
const UNFINISHED_BYTES_MAX = 100_000_000;

/** An embedded registry over a real store and real files in a directory of its own. */
export async function openOrigin(): Promise<OriginUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'dockgate-origin-'));
  const opened = await openOriginAt(directory);
  return {
    ...opened,
    async close() {
      await opened.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** The same over a directory that stays. */
export async function openOriginAt(directory: string): Promise<OriginUnderTest> {
  const clock = createManualClock();
  const base = { clock, random: systemRandom, logger: silentLogger };
  const store = await openStoreWrites({ directory }, { ...base, publish: async () => {} });
  const reopenContent = () => openContent({ directory: join(directory, 'content') }, base);
  const content = await reopenContent();
  const parts = { ...base, content, links: store.links, linkWrites: store.links };
  const usual = {
    directory: join(directory, 'uploads'),
    sessionsMax: SESSIONS_MAX,
    unfinishedBytesMax: UNFINISHED_BYTES_MAX,
  };
  const sourceWith = (options: Partial<OriginOptions>) => createOrigin({ ...usual, ...options }, parts);
  const source = sourceWith({});
  return {
    directory,
    content,
    reopenContent,
    store,
    clock,
    source,
    sourceWith,
    link: (repository, digest, size) =>
      store.links.linkBlob({
        repository,
        digest,
        size,
        owner: 'pending',
        untilMs: clock.nowMs() + 24 * HOUR_MS,
      }),
    async close() {
      await source.close();
      await store.close();
    },
  };
}
