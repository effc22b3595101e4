import { link, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { newId, systemRandom } from './random.ts';

/**
 * Publishes a file that must not exist yet. A crash at any step leaves either nothing or the whole file; of two
 * processes that try at once, one wins.
 *
 * @param mode permission bits, set whatever the umask is.
 * @returns false when there is a file of that name already, which is left as it is.
 */
export async function createFileDurably(
  path: string,
  data: string | Uint8Array,
  mode: number,
): Promise<boolean> {
  const temporary = await writeTemporary(path, data, mode);
  try {
    // Unlike rename, link never replaces: a key that another process has just made stays.
    await link(temporary, path);
  } catch (error) {
    if (isErrorWithCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDirectory(dirname(path));
  return true;
}

/**
 * Replaces a file, or makes it: whoever reads it sees the old content or the new, also after a crash.
 *
 * @param mode permission bits, set whatever the umask is.
 */
export async function replaceFileDurably(
  path: string,
  data: string | Uint8Array,
  mode: number,
): Promise<void> {
  const temporary = await writeTemporary(path, data, mode);
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Whether a directory entry of this name is what a crash left behind of a file that was being written. */
export function isTemporaryName(name: string): boolean {
  return /^\..+\.[a-z2-7]{26}\.tmp$/.test(name);
}

/** Whether the cause is a system error such as `ENOENT`. */
export function isErrorWithCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

async function writeTemporary(path: string, data: string | Uint8Array, mode: number): Promise<string> {
  const temporary = join(dirname(path), `.${basename(path)}.${newId(systemRandom)}.tmp`);
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(data);
    await file.chmod(mode);
    await file.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return temporary;
}

/** Makes the names in a directory durable: a rename or a new file is not before. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
