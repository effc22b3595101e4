import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Change, type Clock, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts';
import { openStoreWrites, type StoreWrites } from '../../src/store/index.ts';
import type { OpenStore } from '../contracts/store-bench.ts';

export function openAt(
  directory: string,
  clock: Clock = systemClock,
  publish: (changes: readonly Change[]) => Promise<void> = async () => {},
): Promise<StoreWrites> {
  return openStoreWrites({ directory }, { clock, random: systemRandom, logger: silentLogger, publish });
}

/** A store in a directory of its own, which goes when the store is closed. */
export const openSqlite: OpenStore = async (clock, publish) => {
  const directory = await mkdtemp(join(tmpdir(), 'dockgate-store-'));
  const store = await openAt(directory, clock, publish);
  return {
    store,
    async close() {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
};
