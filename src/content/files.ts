import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrorWithCode, newId, type Random, syncDirectory } from '../base/index.ts';
import { algorithmOf, type Digest, hexOf, parseDigest } from '../oci/index.ts';

/** Where content lies: `<directory>/sha256/ab/<64 hex>`; unfinished files in `<directory>/tmp`. */
export interface Places {
  readonly directory: string;
  readonly temporary: string;
}

const ALGORITHMS = ['sha256', 'sha512'] as const;

/** Makes the directories, and sweeps what a crash left unfinished. */
export async function preparePlaces(directory: string): Promise<Places> {
  const temporary = join(directory, 'tmp');
  for (const path of [directory, temporary, ...ALGORITHMS.map((name) => join(directory, name))]) {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
  }
  return { directory, temporary };
}

/**
 * Removes what crashed processes left unfinished: files that nothing has written to since `beforeMs`.
 *
 * @returns how many there were.
 */
export async function sweepTemporary(directory: string, beforeMs: number): Promise<number> {
  const temporary = join(directory, 'tmp');
  let count = 0;
  for (const name of await readdir(temporary)) {
    const path = join(temporary, name);
    const found = await stat(path).catch(() => undefined);
    // Finished, or swept by another process, between the listing and now.
    if (!found || found.mtimeMs >= beforeMs) continue;
    await rm(path, { force: true });
    count += 1;
  }
  return count;
}

/** Built from a parsed digest only, so nothing from outside becomes part of a path. */
export function pathOf({ directory }: Places, digest: Digest): string {
  const hex = hexOf(digest);
  return join(directory, algorithmOf(digest), hex.slice(0, 2), hex);
}

export async function openTemporary(
  { temporary }: Places,
  random: Random,
): Promise<{ readonly path: string; readonly file: FileHandle }> {
  const path = join(temporary, newId(random));
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW;
  return { path, file: await open(path, flags, 0o600) };
}

/**
 * Gives a whole, synced file its place. The rename is durable when it resolves; whoever sees the file sees all of it.
 */
export async function publish(places: Places, path: string, digest: Digest): Promise<void> {
  const target = pathOf(places, digest);
  const parent = join(target, '..');
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await rename(path, target);
  await syncDirectory(parent);
  await syncDirectory(join(parent, '..'));
}

export async function sizeOf(places: Places, digest: Digest): Promise<number | undefined> {
  try {
    return (await stat(pathOf(places, digest))).size;
  } catch (error) {
    if (isErrorWithCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Every published file, in no order. */
export async function* listFiles(
  places: Places,
): AsyncGenerator<{ readonly digest: Digest; readonly size: number; readonly modifiedAtMs: number }> {
  for (const algorithm of ALGORITHMS) {
    const top = join(places.directory, algorithm);
    for (const shard of await readdir(top)) {
      for (const name of await readdir(join(top, shard))) {
        const digest = parseDigest(`${algorithm}:${name}`);
        if (!digest) continue;
        const found = await stat(join(top, shard, name)).catch(() => undefined);
        // Removed between the listing and now.
        if (found) yield { digest, size: found.size, modifiedAtMs: found.mtimeMs };
      }
    }
  }
}
