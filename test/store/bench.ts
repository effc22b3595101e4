import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Change,
  type Clock,
  createLocalChanges,
  silentLogger,
  systemClock,
  systemRandom,
} from '../../src/base/index.ts';
import { createLinkMemory } from '../../src/content/index.ts';
import { openStoreWrites, type StoreWrites } from '../../src/store/index.ts';
import type { OpenStore } from '../contracts/store-bench.ts';

export function openAt(
  directory: string,
  clock: Clock = systemClock,
  publish: (changes: readonly Change[]) => Promise<void> = async () => {},
): Promise<StoreWrites> {
  return openStoreWrites(
    { directory, notesScans: true, webhookMessagesMax: 20 },
    { clock, random: systemRandom, logger: silentLogger, publish },
  );
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

/** The same, read as a worker reads it: links from memory, which hears of every change. */
export const openRemembering: OpenStore = async (clock, publish) => {
  const changes = createLocalChanges();
  const { store, close } = await openSqlite(clock, async (published) => {
    for (const change of published) changes.publish(change);
    await publish(published);
  });
  const { links } = createLinkMemory({ keepsTags: true }, { links: store.links, changes, clock });
  const manifests = { ...store.manifests, manifestsNaming: links.manifestsNaming };
  return { store: { ...store, links: { ...store.links, ...links }, manifests }, close };
};
