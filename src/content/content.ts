import type { BigIntStats } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { type Clock, type Logger, MiB, type Random } from '../base/index.ts';
import type { ByteRange, Digest } from '../oci/index.ts';
import { isContentOf } from './digests.ts';
import { ContentMismatch, orUnavailable } from './faults.ts';
import {
  type ListedFile,
  listFiles,
  openTemporary,
  type Places,
  preparePlaces,
  publish,
  removeFile,
  renewFile,
  sizeOf,
} from './files.ts';
import { createFills } from './fills.ts';
import type { Fill } from './shared-fill.ts';
import { createStored, type Pourable } from './stored.ts';

/**
 * Files by digest, shared by the cache and the embedded registry. Every process of a node may open it.
 *
 * What is served was hashed: small content when it is read into memory, a file while it is first served whole, or
 * before a range of it is, and again when the file is not the one that was hashed (another inode, size, or time of
 * change). Bits that rot without a write are found by `verify`.
 */
export interface Content {
  /** @throws {ContentUnavailable} the disk refused; so do all others. */
  find(digest: Digest): Promise<{ readonly size: number } | undefined>;
  /** Finds it, and makes it young: garbage collection passes it over until its time is up once more. */
  renew(digest: Digest): Promise<{ readonly size: number } | undefined>;
  /**
   * Streams from disk; `range` must lie inside the content. The stream breaks before its last byte when the file is
   * damaged, which is then removed.
   *
   * @returns `undefined` when it is not there, or was found damaged before a range of it could be served.
   */
  open(
    digest: Digest,
    range?: ByteRange,
  ): Promise<{ readonly size: number; readonly stream: Readable } | undefined>;
  /** As `open`, for who sends it on: the memory of each piece is used again, so nothing of it may be kept. */
  openToPour(digest: Digest, range?: ByteRange): Promise<Pourable | undefined>;
  /**
   * Small content whole, from memory or disk, verified against the digest when it comes from disk.
   * @returns `undefined` when it is not there, larger than `bytesMax`, or damaged (then it is removed).
   */
  read(digest: Digest, bytesMax: number): Promise<Uint8Array | undefined>;
  /**
   * Durable when it resolves.
   * @throws {ContentMismatch} the bytes are not what the digest names.
   */
  put(digest: Digest, bytes: Uint8Array): Promise<void>;
  /** Takes over a finished file of the same file system, durably. Its digest was checked by the caller. */
  adopt(path: string, digest: Digest): Promise<void>;
  /**
   * Stores what `start` gives, once for all simultaneous callers of this process.
   * @param size in bytes, as the descriptor says; anything else that arrives fails. Callers who state another size
   *   have a fill of their own, so that a wrong descriptor spoils nobody else's pull.
   * @throws what `start` throws; who waited for another caller's `start` has then called its own, at most once.
   */
  fill(digest: Digest, size: number, start: () => Promise<Readable>): Promise<Fill>;
  /**
   * @param beforeMs stays when it was published or renewed since.
   * @returns whether there was one, and it went.
   */
  remove(digest: Digest, beforeMs?: number): Promise<boolean>;
  /** In byte order. @param after begins behind this digest. */
  list(after?: Digest): AsyncIterable<ListedFile>;
  /**
   * Reads the whole file, and removes it when it is damaged.
   * @returns whether it was what its digest says; `undefined` when there is none.
   */
  verify(digest: Digest): Promise<boolean | undefined>;
}

export interface ContentOptions {
  /** `content` in the data directory. */
  readonly directory: string;
  /** Bytes of small content kept in memory. */
  readonly memoryBytesMax?: number;
}

const MEMORY_BYTES_MAX = 64 * MiB;

/** Opens the content store of a node. */
export async function openContent(
  options: ContentOptions,
  parts: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
): Promise<Content> {
  const { clock, random } = parts;
  const places = await preparePlaces(options.directory);
  const stored = createStored(places, parts);
  const memory = new LRUCache<Digest, Uint8Array>({
    maxSize: options.memoryBytesMax ?? MEMORY_BYTES_MAX,
    sizeCalculation: (bytes) => Math.max(1, bytes.length),
  });

  const keep = (digest: Digest, bytes: Uint8Array): void => void memory.set(digest, alone(bytes));

  const read = async (digest: Digest, bytesMax: number): Promise<Uint8Array | undefined> => {
    const kept = memory.get(digest);
    if (kept) return kept.length <= bytesMax ? kept : undefined;
    const bytes = await stored.read(digest, bytesMax);
    if (bytes) keep(digest, bytes);
    return bytes;
  };

  return {
    read,
    open: (digest, range) => stored.open(digest, range),
    openToPour: (digest, range) => stored.openToPour(digest, range),
    verify: (digest) => stored.verify(digest),
    list: (after) => listFiles(places, after),
    adopt: (path, digest) => orUnavailable(publish(places, path, digest, clock.nowMs())),
    find: async (digest) => sized(await sizeOf(places, digest)),
    renew: async (digest) => sized(await renewFile(places, digest, clock.nowMs())),

    async put(digest, bytes) {
      if (!isContentOf(bytes, digest)) throw new ContentMismatch('the content is not what its digest says');
      // What lies there already is replaced, since it may be damaged or about to be collected.
      await orUnavailable(putBytes(places, parts, digest, bytes));
      keep(digest, bytes);
    },

    fill: createFills({ places, ...parts, published: stored.trust }, stored),

    async remove(digest, beforeMs = Number.POSITIVE_INFINITY) {
      const isOld = (found: BigIntStats): boolean => Number(found.mtimeMs) < beforeMs;
      const isRemoved = await removeFile(places, random, digest, isOld);
      if (isRemoved) memory.delete(digest);
      return isRemoved;
    },
  };
}

/** Bytes that hold no more memory than their own: a small buffer is a part of a pool, all of which it keeps. */
function alone(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer.byteLength === bytes.length) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}

function sized(size: number | undefined): { readonly size: number } | undefined {
  return size === undefined ? undefined : { size };
}

async function putBytes(
  places: Places,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  digest: Digest,
  bytes: Uint8Array,
): Promise<void> {
  const { path, file } = await openTemporary(places, random);
  try {
    await file.writeFile(bytes);
    await file.sync();
    await publish(places, path, digest, clock.nowMs());
  } catch (error) {
    // A disk that is broken may refuse this too; the sweep comes later.
    await rm(path, { force: true }).catch(() => {});
    throw error;
  } finally {
    await file.close();
  }
}
