import { createHash, type Hash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrorWithCode, newId, type Random } from '../base/index.ts';
import { ContentUnavailable } from '../content/index.ts';
import type { DigestAlgorithm } from '../oci/index.ts';

const STATE = /^[a-z2-7]{26}$/;
const READ_BYTES = 1024 * 1024;

/** Uploads as files: the name is the upload's state, the size its offset. */
export interface UploadFiles {
  create(): Promise<string>;
  /** @returns `undefined` for a state that is not ours or is over. */
  sizeOf(state: string): Promise<number | undefined>;
  /**
   * Appends a stream. What has arrived when the client hangs up stays: it asks where it stands and goes on.
   *
   * @returns the new size, and how many bytes the stream had.
   */
  append(
    state: string,
    body: AsyncIterable<Uint8Array>,
  ): Promise<{ readonly size: number; readonly received: number }>;
  truncate(state: string, size: number): Promise<void>;
  /** Makes the bytes durable and hashes them all. */
  seal(state: string, algorithm: DigestAlgorithm): Promise<{ readonly hash: Hash; readonly size: number }>;
  remove(state: string): Promise<boolean>;
  pathOf(state: string): string;
}

export function createUploadFiles(directory: string, random: Random): UploadFiles {
  const pathOf = (state: string): string => join(directory, state);
  return {
    pathOf,
    async create() {
      const state = newId(random);
      await orUnavailable(createEmpty(directory, pathOf(state)));
      return state;
    },
    async sizeOf(state) {
      if (!STATE.test(state)) return undefined;
      try {
        return (await stat(pathOf(state))).size;
      } catch (error) {
        if (isErrorWithCode(error, 'ENOENT')) return undefined;
        throw new ContentUnavailable(error);
      }
    },
    async append(state, body) {
      const file = await orUnavailable(open(pathOf(state), constants.O_WRONLY | constants.O_APPEND));
      try {
        const received = await copy(body, file);
        return { size: (await file.stat()).size, received };
      } finally {
        await file.close();
      }
    },
    async truncate(state, size) {
      const file = await orUnavailable(open(pathOf(state), 'r+'));
      try {
        await file.truncate(size);
      } finally {
        await file.close();
      }
    },
    async seal(state, algorithm) {
      const file = await orUnavailable(open(pathOf(state), 'r'));
      await orUnavailable(file.sync());
      const { size } = await file.stat();
      const hash = createHash(algorithm);
      for await (const chunk of createReadStream('', { fd: file, highWaterMark: READ_BYTES }))
        hash.update(chunk);
      return { hash, size };
    },
    async remove(state) {
      if ((await this.sizeOf(state)) === undefined) return false;
      await rm(pathOf(state), { force: true });
      return true;
    },
  };
}

/**
 * Removes uploads that nothing has been added to since `beforeMs`, and locks of processes that are gone.
 *
 * @returns how many uploads there were.
 */
export async function sweepUploads(directory: string, beforeMs: number): Promise<number> {
  let count = 0;
  const names = await readdir(directory).catch((error: unknown) => {
    if (isErrorWithCode(error, 'ENOENT')) return [];
    throw error;
  });
  for (const name of names) {
    const found = await stat(join(directory, name)).catch(() => undefined);
    // Finished between the listing and now.
    if (!found || found.mtimeMs >= beforeMs) continue;
    await rm(join(directory, name), { force: true });
    if (STATE.test(name)) count += 1;
  }
  return count;
}

async function createEmpty(directory: string, path: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await (await open(path, 'wx', 0o600)).close();
}

/** Disk errors are ours; an error of the body is the client's, and passes as it is. */
async function copy(body: AsyncIterable<Uint8Array>, file: FileHandle): Promise<number> {
  let received = 0;
  for await (const chunk of body) {
    await orUnavailable(file.appendFile(chunk));
    received += chunk.length;
  }
  return received;
}

async function orUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new ContentUnavailable(cause);
  }
}
