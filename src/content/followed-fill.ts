import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as passing } from 'node:timers/promises';
import { type Clock, SECOND_MS } from '../base/index.ts';
import { type Claimant, type Claimed, claimantOf, isAlive } from './claims.ts';
import { ContentCut, ContentUnavailable, orUnavailable } from './faults.ts';
import { openPublished, type Places, pathOf } from './files.ts';
import { streamGrowing } from './growing-stream.ts';
import { createGrowth, type Growth } from './growth.ts';
import { createLeases } from './leases.ts';
import type { Fill } from './shared-fill.ts';

interface Parts {
  readonly places: Places;
  readonly clock: Clock;
}

/** How often is looked how far the other process has come, in milliseconds. */
const LOOK_MS = 20;
/** The other process writes, or touches its file, far more often while it lives. */
const SILENCE_MS_MAX = 10 * SECOND_MS;

/**
 * Reads along while another process of this node stores the content: the registry is asked once for all of them. As with
 * a fill of our own, the last byte is held back until that process has published the file, which it does only when the
 * digest is right (threat V-21).
 *
 * @returns `undefined` when that process comes to nothing before its first byte: then whoever asks must ask for himself.
 */
export async function followFill(
  claimed: Claimed,
  claimant: Claimant,
  parts: Parts,
): Promise<Fill | undefined> {
  const { places } = parts;
  const file = await openBegun(claimed, claimant, parts);
  if (!file) return undefined;
  const growth = createGrowth();
  const done = watch(file, growth, claimed, claimant, parts);
  done.catch(() => {});
  const leases = createLeases(file, async () => {
    const opened = await openPublished(places, claimed.digest);
    if (!opened) throw new ContentUnavailable('removed since it was stored');
    return opened.file;
  });
  done.then(leases.releaseFirst, leases.releaseFirst);
  try {
    // One byte, or all of none: from now on something has been promised.
    await growth.beyond(0, Math.min(2, claimed.size));
  } catch {
    return undefined;
  }
  const { size } = claimed;
  return { size, done, stream: (range) => streamGrowing(leases.take(), growth, size, range) };
}

/** The claim stands a moment before its file. */
async function openBegun(
  claimed: Claimed,
  claimant: Claimant,
  { places, clock }: Parts,
): Promise<FileHandle | undefined> {
  const startedMs = clock.monotonicMs();
  while (isAlive(claimant) && clock.monotonicMs() - startedMs < SILENCE_MS_MAX) {
    const path = join(places.temporary, claimant.name);
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
    if (file) return file;
    if ((await claimantOf(places, claimed))?.name !== claimant.name) return undefined;
    await passing(LOOK_MS);
  }
  return undefined;
}

async function watch(
  file: FileHandle,
  growth: Growth,
  { digest, size }: Claimed,
  claimant: Claimant,
  { places, clock }: Parts,
): Promise<void> {
  let sign = '';
  let signAtMs = clock.monotonicMs();
  try {
    for (;;) {
      const found = await orUnavailable(file.stat());
      if (found.size > 0) growth.advance(Math.min(found.size, size));
      const published = await lstat(pathOf(places, digest)).catch(() => undefined);
      if (found.size === size && published?.ino === found.ino) break;
      if (found.nlink === 0) throw new ContentCut('the process that stored it gave up');
      const signNow = `${found.size} ${found.mtimeMs}`;
      if (signNow !== sign) [sign, signAtMs] = [signNow, clock.monotonicMs()];
      const isSilent = clock.monotonicMs() - signAtMs > SILENCE_MS_MAX;
      if (isSilent || !isAlive(claimant)) throw new ContentCut('the process that stored it is gone');
      await passing(LOOK_MS);
    }
    growth.finish();
  } catch (error) {
    growth.fail(error instanceof Error ? error : new ContentCut(error));
    throw error;
  }
}
