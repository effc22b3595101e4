import { constants, type Stats } from 'node:fs';
import { lstat, open, realpath } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { isErrorWithCode } from './durable-files.ts';
import { KiB } from './sizes.ts';
import { StartError } from './start-error.ts';

const PRIVATE_BYTES_MAX = 64 * KiB;

/**
 * Reads a file that holds a key or a password, and refuses one that others could have read or exchanged. A secret
 * that is there but unusable is never replaced by a new one: what depends on the old one would silently break.
 *
 * @returns `undefined` when there is no such file.
 * @throws {StartError} a link out of its directory, not a regular file, another owner, readable by group or others,
 *   empty, larger than 64 KiB, or unreadable; the message says how to mend it.
 */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  const target = await resolveInside(path);
  if (target === undefined) return undefined;
  try {
    const file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      refuseUnsafe(path, await file.stat());
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(
      `${path} cannot be read (${reasonOf(error)}): make it readable by the server's user`,
    );
  }
}

/** Mounted secrets are links into a hidden folder beside them; a link that leads elsewhere is not followed. */
async function resolveInside(path: string): Promise<string | undefined> {
  try {
    const [target, directory] = await Promise.all([realpath(path), realpath(dirname(path))]);
    if (target.startsWith(directory.endsWith(sep) ? directory : directory + sep)) return target;
  } catch (error) {
    if (isErrorWithCode(error, 'ENOENT') && !(await isDanglingLink(path))) return undefined;
    throw new StartError(`${path} cannot be read (${reasonOf(error)})`);
  }
  throw new StartError(`${path} is a link out of its directory: put the file itself there`);
}

async function isDanglingLink(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function refuseUnsafe(path: string, stats: Stats): void {
  if (!stats.isFile()) throw new StartError(`${path} is not a regular file`);
  const ownUid = process.getuid?.();
  if (ownUid !== undefined && stats.uid !== ownUid && stats.uid !== 0) {
    throw new StartError(
      `${path} belongs to user ${stats.uid}: it must belong to the server's user (${ownUid})`,
    );
  }
  if ((stats.mode & 0o077) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    throw new StartError(`${path} may be read by others (mode ${mode}): chmod 600 ${path}`);
  }
  if (stats.size === 0) throw new StartError(`${path} is empty: restore it from a copy`);
  if (stats.size > PRIVATE_BYTES_MAX) throw new StartError(`${path} is larger than 64 KiB`);
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
