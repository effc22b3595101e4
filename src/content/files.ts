import { type BigIntStats, constants } from 'node:fs';
import {
  chmod,
  type FileHandle,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  rename,
  rm,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrorWithCode, MINUTE_MS, newId, type Random, SECOND_MS, syncDirectory } from '../base/index.ts';
import { algorithmOf, type Digest, hexOf, parseDigest } from '../oci/index.ts';
import { orUnavailable } from './faults.ts';

/** Where content lies: `<directory>/sha256/ab/<64 hex>`; unfinished files in `<directory>/tmp`. */
export interface Places {
  readonly directory: string;
  readonly temporary: string;
}

const ALGORITHMS = ['sha256', 'sha512'] as const;
/** Well below the age at which content is collected (see collectGarbage), so that a link can still be committed. */
const YOUNG_MS = 15 * MINUTE_MS;
// No link is followed and no pipe waited for, whoever put one there (threat S-17).
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const CREATE_FLAGS = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW;

/** Makes the directories, durably and with mode 0700 whatever the umask is. */
export async function preparePlaces(directory: string): Promise<Places> {
  const temporary = join(directory, 'tmp');
  for (const path of [directory, temporary, ...ALGORITHMS.map((name) => join(directory, name))]) {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
  }
  await syncDirectory(directory);
  await syncDirectory(dirname(directory));
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
    // Absent: finished, or swept by another process, between the listing and now.
    const found = await lstat(path).catch(() => undefined);
    if (!found || found.mtimeMs >= beforeMs) continue;
    await rm(path, { force: true, recursive: true });
    count += 1;
  }
  return count;
}

/** Built from a parsed digest only, so nothing from outside becomes part of a path (threat N-09). */
export function pathOf({ directory }: Places, digest: Digest): string {
  const hex = hexOf(digest);
  return join(directory, algorithmOf(digest), hex.slice(0, 2), hex);
}

/** A new file of an unguessable `name`, mode 0600 whatever the umask is. */
export async function openTemporary(
  { temporary }: Places,
  random: Random,
  name = newId(random),
): Promise<{ readonly path: string; readonly file: FileHandle }> {
  const path = join(temporary, name);
  const file = await open(path, CREATE_FLAGS, 0o600);
  try {
    await file.chmod(0o600);
    return { path, file };
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw error;
  }
}

/**
 * Gives a whole, synced file its place. The rename is durable when it resolves; whoever sees the file sees all of it.
 *
 * @param nowMs becomes the file's time: it is young from now on, however long its upload took, and garbage collection
 *   leaves it alone until its link is committed.
 */
export async function publish(places: Places, path: string, digest: Digest, nowMs: number): Promise<void> {
  const target = pathOf(places, digest);
  await lutimes(path, nowMs / SECOND_MS, nowMs / SECOND_MS);
  const parent = dirname(target);
  const made = await mkdir(parent, { recursive: true, mode: 0o700 });
  if (made !== undefined) await chmod(parent, 0o700);
  await rename(path, target);
  await syncDirectory(parent);
  // Also when another process made the parent: it may not have come to this line yet.
  await syncDirectory(dirname(parent));
}

/**
 * Opens a published file for reading; the caller closes it.
 *
 * @returns `undefined` when there is none, or when what lies there is no regular file.
 * @throws {ContentUnavailable} the disk refused.
 */
export async function openPublished(
  places: Places,
  digest: Digest,
): Promise<{ readonly file: FileHandle; readonly stats: BigIntStats } | undefined> {
  const file = await orAbsent(open(pathOf(places, digest), READ_FLAGS));
  if (!file) return undefined;
  try {
    const stats = await orUnavailable(file.stat({ bigint: true }));
    if (stats.isFile()) return { file, stats };
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

/** @throws {ContentUnavailable} the disk refused. */
export async function sizeOf(places: Places, digest: Digest): Promise<number | undefined> {
  const found = await orAbsent(lstat(pathOf(places, digest)));
  return found?.isFile() ? found.size : undefined;
}

/**
 * Makes a published file young, so that garbage collection leaves it alone for now. One that is young enough is left
 * as it is: each change of its times makes every process hash it once more.
 *
 * @returns its size, or `undefined` when there is none.
 */
export async function renewFile(places: Places, digest: Digest, nowMs: number): Promise<number | undefined> {
  const path = pathOf(places, digest);
  const found = await orAbsent(lstat(path));
  if (!found?.isFile()) return undefined;
  if (found.mtimeMs > nowMs - YOUNG_MS) return found.size;
  const isThere = await orAbsent(lutimes(path, nowMs / SECOND_MS, nowMs / SECOND_MS).then(() => true));
  return isThere ? found.size : undefined;
}

/**
 * Removes a published file if it is still the one that is meant. It is moved aside before the last look: what another
 * process publishes or renews between our look and our removal is put back.
 *
 * @returns whether it was removed.
 * @throws {ContentUnavailable} the disk refused.
 */
export async function removeFile(
  places: Places,
  random: Random,
  digest: Digest,
  isMeant: (found: BigIntStats) => boolean = () => true,
): Promise<boolean> {
  const path = pathOf(places, digest);
  const seen = await orAbsent(lstat(path, { bigint: true }));
  if (!seen || !isMeant(seen)) return false;
  const aside = join(places.temporary, newId(random));
  if (!(await orAbsent(rename(path, aside).then(() => true)))) return false;
  const isRemoved = isMeant(await orUnavailable(lstat(aside, { bigint: true })));
  if (!isRemoved) await orUnavailable(linkBack(aside, path));
  await orUnavailable(rm(aside, { force: true, recursive: true }));
  return isRemoved;
}

async function linkBack(aside: string, path: string): Promise<void> {
  try {
    await link(aside, path);
  } catch (error) {
    // Published once more meanwhile: then that one stays.
    if (!isErrorWithCode(error, 'EEXIST')) throw error;
  }
}

/** A published file. */
export interface ListedFile {
  readonly digest: Digest;
  readonly size: number;
  readonly modifiedAtMs: number;
  /** Its last use as far as the file system tells it: at least to the day with `relatime`. */
  readonly usedAtMs: number;
}

/** Every published file behind `after`, in byte order of the digests. Whatever else lies in the directories is passed over. */
export async function* listFiles(places: Places, after?: Digest): AsyncGenerator<ListedFile> {
  for (const algorithm of ALGORITHMS) {
    const top = join(places.directory, algorithm);
    const shards = (await readdir(top, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const shard of shards) {
      // A prefix is before what it begins, so only whole shards behind are passed over.
      if (!shard.isDirectory() || (after && `${algorithm}:${shard.name}g` < after)) continue;
      for (const name of (await readdir(join(top, shard.name))).sort()) {
        const digest = parseDigest(`${algorithm}:${name}`);
        if (!digest || !name.startsWith(shard.name) || (after && digest <= after)) continue;
        // Absent: removed between the listing and now.
        const found = await lstat(join(top, shard.name, name)).catch(() => undefined);
        if (found?.isFile()) {
          const { size, mtimeMs, atimeMs } = found;
          yield { digest, size, modifiedAtMs: mtimeMs, usedAtMs: Math.max(mtimeMs, atimeMs) };
        }
      }
    }
  }
}

/** ELOOP is what O_NOFOLLOW says to a link: content that is not there. */
async function orAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  return orUnavailable(
    work.catch((error: unknown) => {
      if (isErrorWithCode(error, 'ENOENT') || isErrorWithCode(error, 'ELOOP')) return undefined;
      throw error;
    }),
  );
}
