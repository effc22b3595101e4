import { lstat, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrorWithCode } from '../base/index.ts';

/**
 * Removes uploads that nothing has been added to since `beforeMs`, with what crashed processes left of them.
 *
 * @returns how many uploads there were.
 */
export async function sweepUploads(directory: string, beforeMs: number): Promise<number> {
  let count = 0;
  for (const owner of await namesIn(directory)) {
    const folder = join(directory, owner);
    for (const upload of await namesIn(folder)) {
      const path = join(folder, upload);
      if ((await touchedAtMs(path)) >= beforeMs) continue;
      await rm(path, { recursive: true, force: true });
      count += 1;
    }
    await removeEmpty(folder);
  }
  return count;
}

/** The directory's own time is that of the last rename in it, its file's that of the last byte. */
async function touchedAtMs(path: string): Promise<number> {
  const paths = [path, ...(await namesIn(path)).map((name) => join(path, name))];
  const times = await Promise.all(
    paths.map((one) =>
      lstat(one).then(
        (found) => found.mtimeMs,
        // Finished between the listing and now.
        () => 0,
      ),
    ),
  );
  return Math.max(...times);
}

async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'].some((code) => isErrorWithCode(error, code)))
      throw error;
  }
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isErrorWithCode(error, 'ENOENT') || isErrorWithCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}
