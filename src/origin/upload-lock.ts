import { readFile, rm, writeFile } from 'node:fs/promises';
import { isErrorWithCode } from '../base/index.ts';

/**
 * Lets one process at a time work on an upload: two chunks that arrive at once on two workers must not mix. The lock
 * is a file that holds the process id; a lock whose process is gone is taken over.
 *
 * @returns what `work` gives, or `undefined` when somebody else holds the lock.
 */
export async function withUploadLock<T>(path: string, work: () => Promise<T>): Promise<T | undefined> {
  const lock = `${path}.lock`;
  if (!(await take(lock))) return undefined;
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

async function take(lock: string): Promise<boolean> {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      await writeFile(lock, String(process.pid), { flag: 'wx', mode: 0o600 });
      return true;
    } catch (error) {
      if (!isErrorWithCode(error, 'EEXIST')) throw error;
    }
    if (await isHeld(lock)) return false;
    await rm(lock, { force: true });
  }
  return false;
}

async function isHeld(lock: string): Promise<boolean> {
  const pid = Number(await readFile(lock, 'utf8').catch(() => ''));
  // Given free between the two looks, or written by a process that crashed before it had written its number.
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrorWithCode(error, 'EPERM');
  }
}
