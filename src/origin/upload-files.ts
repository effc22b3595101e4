import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrorWithCode, newId, type Random } from '../base/index.ts';
import { orUnavailable } from '../content/index.ts';
import { isAlive, ownProcess } from './process-identity.ts';

/**
 * Uploads as files: `<directory>/<owner>/<id>/data`, whose size is the upload's offset.
 *
 * A request that works on an upload renames the file to `held.<process>` and back: two chunks that arrive at once on
 * two workers must not mix. A rename has one winner, also when the file of a process that died is taken over.
 */
export interface UploadFiles {
  /**
   * @param owner whose upload it is, however written: it becomes part of no path.
   * @returns the upload's state, or `undefined` when the owner has as many as are allowed.
   */
  create(owner: string): Promise<string | undefined>;
  /** @returns bytes so far; `undefined` for a state that is not ours or is over. */
  sizeOf(state: string): Promise<number | undefined>;
  /** Gives `work` the upload's file, for itself alone. `work` may move the file away: then the upload is over. */
  hold<T>(state: string, work: (path: string) => Promise<T>): Promise<HoldResult<T>>;
  /** Bytes in all uploads of the owner of this one. */
  ownersBytes(state: string): Promise<number>;
  /** @returns whether there was one. A request that still writes to it writes into the void. */
  remove(state: string): Promise<boolean>;
}

export type HoldResult<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'absent' }
  /** Another request works on it. */
  | { readonly kind: 'busy' };

export interface UploadFilesOptions {
  readonly directory: string;
  /** Open uploads of one owner. Requests that arrive at once may pass it by as many. */
  readonly sessionsMax: number;
}

const STATE = /^([0-9a-f]{16})\.([a-z2-7]{26})$/;
const FREE = 'data';
const HELD = 'held.';
/** The name may change between listing and use; each change is another request's progress. */
const LOOKS_MAX = 3;

export function createUploadFiles(options: UploadFilesOptions, random: Random): UploadFiles {
  const { directory, sessionsMax } = options;
  const folderOf = (state: string): string | undefined => {
    const match = STATE.exec(state);
    return match?.[1] && match[2] ? join(directory, match[1], match[2]) : undefined;
  };
  return {
    async create(owner) {
      const key = createHash('sha256').update(owner).digest('hex').slice(0, 16);
      const open = (await entriesOf(join(directory, key))).length;
      if (open >= sessionsMax) return undefined;
      const state = `${key}.${newId(random)}`;
      await orUnavailable(createEmpty(join(directory, key, state.slice(key.length + 1))));
      return state;
    },

    async sizeOf(state) {
      const folder = folderOf(state);
      for (let look = 0; folder && look < LOOKS_MAX; look += 1) {
        const name = await findFile(folder);
        if (name === undefined) continue;
        const found = await orAbsent(lstat(join(folder, name)));
        if (found) return found.size;
      }
      return undefined;
    },

    async ownersBytes(state) {
      const owner = STATE.exec(state)?.[1];
      if (owner === undefined) return 0;
      let bytes = 0;
      for (const id of await entriesOf(join(directory, owner))) {
        const name = await findFile(join(directory, owner, id));
        // One that ends meanwhile is nobody's any more.
        const found = name && (await orAbsent(lstat(join(directory, owner, id, name))));
        if (found) bytes += found.size;
      }
      return bytes;
    },

    async hold(state, work) {
      const folder = folderOf(state);
      const own = `${HELD}${await ownProcess()}`;
      const taken = folder ? await take(folder, own) : 'absent';
      if (!folder || taken !== 'taken') return { kind: taken === 'busy' ? 'busy' : 'absent' };
      const path = join(folder, own);
      try {
        return { kind: 'done', value: await work(path) };
      } finally {
        // Absent: the blob has its place in the content store, or the upload was cancelled.
        const isBack = await orAbsent(rename(path, join(folder, FREE)).then(() => true));
        if (!isBack) await orUnavailable(rm(folder, { recursive: true, force: true }));
      }
    },

    async remove(state) {
      const folder = folderOf(state);
      if (!folder || (await findFile(folder)) === undefined) return false;
      await orUnavailable(rm(folder, { recursive: true, force: true }));
      return true;
    },
  };
}

/** Mode 0700 and 0600 whatever the umask is. */
async function createEmpty(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  for (let path = folder; made !== undefined && path.startsWith(made); path = dirname(path)) {
    await chmod(path, 0o700);
  }
  const file = await open(join(folder, FREE), 'wx', 0o600);
  try {
    await file.chmod(0o600);
  } finally {
    await file.close();
  }
}

async function take(folder: string, own: string): Promise<'taken' | 'busy' | 'absent'> {
  if (await orAbsent(rename(join(folder, FREE), join(folder, own)).then(() => true))) return 'taken';
  const name = await findFile(folder);
  if (name === undefined) return 'absent';
  if (name === FREE || (await isAlive(name.slice(HELD.length)))) return 'busy';
  const isOurs = await orAbsent(rename(join(folder, name), join(folder, own)).then(() => true));
  return isOurs ? 'taken' : 'busy';
}

async function findFile(folder: string): Promise<string | undefined> {
  return (await entriesOf(folder)).find((name) => name === FREE || name.startsWith(HELD));
}

async function entriesOf(folder: string): Promise<readonly string[]> {
  return (await orAbsent(readdir(folder))) ?? [];
}

async function orAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  return orUnavailable(
    work.catch((error: unknown) => {
      if (isErrorWithCode(error, 'ENOENT')) return undefined;
      throw error;
    }),
  );
}
