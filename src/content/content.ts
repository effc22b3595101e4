import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { createSingleFlight, isErrorWithCode, type Logger, MiB, type Random } from '../base/index.ts';
import { algorithmOf, type ByteRange, type Digest } from '../oci/index.ts';
import { digestFrom, isContentOf } from './digests.ts';
import { ContentMismatch, ContentUnavailable } from './faults.ts';
import { listFiles, openTemporary, type Places, pathOf, preparePlaces, publish, sizeOf } from './files.ts';
import { type Fill, startFill } from './shared-fill.ts';

/** Files by digest, shared by the cache and the embedded registry. */
export interface Content {
  find(digest: Digest): Promise<{ readonly size: number } | undefined>;
  /** Streams from disk; `range` must lie inside the content. */
  open(
    digest: Digest,
    range?: ByteRange,
  ): Promise<{ readonly size: number; readonly stream: Readable } | undefined>;
  /**
   * Small content whole, from memory or disk, verified against the digest when it comes from disk.
   * @returns `undefined` when it is not there, larger than `bytesMax`, or damaged (then it is removed).
   */
  read(digest: Digest, bytesMax: number): Promise<Uint8Array | undefined>;
  /**
   * Durable when it resolves.
   * @throws {ContentMismatch} the bytes are not what the digest names.
   * @throws {ContentUnavailable} the disk refused.
   */
  put(digest: Digest, bytes: Uint8Array): Promise<void>;
  /**
   * Takes over a finished file of the same file system, durably. Its digest was checked by the caller.
   * @throws {ContentUnavailable} the disk refused.
   */
  adopt(path: string, digest: Digest): Promise<void>;
  /**
   * Stores what `start` gives, once for all simultaneous callers of this process.
   * @param size in bytes, as the descriptor says; anything else that arrives fails.
   */
  fill(digest: Digest, size: number, start: () => Promise<Readable>): Promise<Fill>;
  remove(digest: Digest): Promise<boolean>;
  list(): AsyncIterable<{ readonly digest: Digest; readonly size: number; readonly modifiedAtMs: number }>;
  /** Reads the whole file. @returns whether it still is what its digest says; `undefined` when there is none. */
  verify(digest: Digest): Promise<boolean | undefined>;
}

export interface ContentOptions {
  /** `content` in the data directory. */
  readonly directory: string;
  /** Bytes of small content kept in memory. */
  readonly memoryBytesMax?: number;
}

const STREAM_BYTES = 1 * MiB;
const MEMORY_BYTES_MAX = 64 * MiB;

/** Opens the content store of a node; every process of it may. */
export async function openContent(
  options: ContentOptions,
  parts: { readonly random: Random; readonly logger: Logger },
): Promise<Content> {
  const places = await preparePlaces(options.directory);
  const memory = new LRUCache<Digest, Uint8Array>({
    maxSize: options.memoryBytesMax ?? MEMORY_BYTES_MAX,
    sizeCalculation: (bytes) => Math.max(1, bytes.length),
  });
  const fills = new Map<Digest, Fill>();
  const singleFlight = createSingleFlight<Fill>();

  const read = async (digest: Digest, bytesMax: number): Promise<Uint8Array | undefined> => {
    const known = memory.get(digest);
    if (known) return known.length <= bytesMax ? known : undefined;
    const size = await sizeOf(places, digest);
    if (size === undefined || size > bytesMax) return undefined;
    const bytes = await readFile(pathOf(places, digest));
    if (!isContentOf(bytes, digest)) {
      parts.logger.error('stored content is damaged and was removed', { digest });
      await rm(pathOf(places, digest), { force: true });
      return undefined;
    }
    memory.set(digest, bytes);
    return bytes;
  };

  return {
    read,

    async find(digest) {
      const size = await sizeOf(places, digest);
      return size === undefined ? undefined : { size };
    },

    async open(digest, range) {
      const file = await openOrAbsent(pathOf(places, digest));
      if (!file) return undefined;
      const { size } = await file.stat();
      const span = range ? { start: range.first, end: range.last } : {};
      return { size, stream: createReadStream('', { fd: file, highWaterMark: STREAM_BYTES, ...span }) };
    },

    async put(digest, bytes) {
      if (!isContentOf(bytes, digest)) throw new ContentMismatch('the content is not what its digest says');
      // Read, and so verified: what lies there damaged is replaced.
      if (await read(digest, bytes.length)) return;
      await putBytes(places, parts.random, digest, bytes);
      memory.set(digest, bytes);
    },

    adopt: (path, digest) => orUnavailable(publish(places, path, digest)),

    fill(digest, size, start) {
      const running = fills.get(digest);
      if (running) return Promise.resolve(running);
      return singleFlight(digest, async () => {
        const fill = await startFill({ digest, size, start }, places, parts.random);
        fills.set(digest, fill);
        const forget = (): void => {
          fills.delete(digest);
        };
        fill.done.then(forget, forget);
        return fill;
      });
    },

    async remove(digest) {
      memory.delete(digest);
      const isThere = (await sizeOf(places, digest)) !== undefined;
      await rm(pathOf(places, digest), { force: true });
      return isThere;
    },

    list: () => listFiles(places),

    async verify(digest) {
      const file = await openOrAbsent(pathOf(places, digest));
      if (!file) return undefined;
      const hash = createHash(algorithmOf(digest));
      for await (const chunk of createReadStream('', { fd: file, highWaterMark: STREAM_BYTES }))
        hash.update(chunk);
      return digestFrom(hash, algorithmOf(digest)) === digest;
    },
  };
}

async function putBytes(places: Places, random: Random, digest: Digest, bytes: Uint8Array): Promise<void> {
  const { path, file } = await orUnavailable(openTemporary(places, random));
  try {
    await file.writeFile(bytes);
    await file.sync();
    await publish(places, path, digest);
  } catch (cause) {
    await rm(path, { force: true });
    throw new ContentUnavailable(cause);
  } finally {
    await file.close();
  }
}

async function openOrAbsent(path: string) {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isErrorWithCode(error, 'ENOENT')) return undefined;
    throw new ContentUnavailable(error);
  }
}

async function orUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new ContentUnavailable(cause);
  }
}
