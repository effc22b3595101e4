import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { createSingleFlight, type Logger, type Random } from '../base/index.ts';
import { algorithmOf, type ByteRange, type Digest } from '../oci/index.ts';
import { isContentOf } from './digests.ts';
import { orUnavailable } from './faults.ts';
import { openPublished, type Places, removeFile } from './files.ts';
import {
  hashFile,
  identityOf,
  pourFile,
  pourHashed,
  streamHashed,
  streamKnown,
  type TakePiece,
} from './hashed-files.ts';

/** Published files, served only as what their digests say; one that is not is removed. */
export interface Stored {
  /** @returns `undefined` when it is not there, or damaged and a range of it was asked for. */
  open(
    digest: Digest,
    range: ByteRange | undefined,
  ): Promise<{ readonly size: number; readonly stream: Readable } | undefined>;
  /** The same, to be poured instead. */
  openToPour(digest: Digest, range: ByteRange | undefined): Promise<Pourable | undefined>;
  read(digest: Digest, bytesMax: number): Promise<Uint8Array | undefined>;
  verify(digest: Digest): Promise<boolean | undefined>;
  /** Says that an open file, under its final name already, was hashed and is right. */
  trust(digest: Digest, file: FileHandle): Promise<void>;
}

/** Open content on its way to who sends it on. It is poured once, which closes it. */
export interface Pourable {
  readonly size: number;
  /**
   * Gives it piece by piece; the last one only when it is known to be right.
   * @throws what `take` rejects with, or why there is no more of it.
   */
  pour(take: TakePiece): Promise<void>;
}

interface Opened {
  readonly file: FileHandle;
  readonly stats: BigIntStats;
}

const KNOWN_MAX = 100_000;

export function createStored(
  places: Places,
  parts: { readonly random: Random; readonly logger: Logger },
): Stored {
  /** Which file was hashed, and right, by digest. */
  const known = new LRUCache<Digest, string>({ max: KNOWN_MAX });
  const singleFlight = createSingleFlight<boolean>();

  /** Only the file that was read goes: another process may have put a good one in its place. */
  const conclude = async (digest: Digest, { stats }: Opened, isRight: boolean): Promise<boolean> => {
    if (isRight) {
      known.set(digest, identityOf(stats));
      return true;
    }
    known.delete(digest);
    parts.logger.error('stored content is damaged and is removed', { digest });
    await removeFile(places, parts.random, digest, (found) => found.ino === stats.ino);
    return false;
  };
  const check = async (digest: Digest, opened: Opened): Promise<boolean> =>
    conclude(digest, opened, (await hashFile(opened.file, algorithmOf(digest))).digest === digest);
  const withFile = async <T>(
    digest: Digest,
    work: (opened: Opened) => Promise<T>,
  ): Promise<T | undefined> => {
    const opened = await openPublished(places, digest);
    if (!opened) return undefined;
    try {
      return await work(opened);
    } finally {
      await opened.file.close();
    }
  };

  /** Opens it and says whether it is right already, or must be hashed while it is read whole. */
  const openChecked = async (
    digest: Digest,
    range: ByteRange | undefined,
  ): Promise<(Opened & { readonly size: number; readonly isKnown: boolean }) | undefined> => {
    const opened = await openPublished(places, digest);
    if (!opened) return undefined;
    const size = Number(opened.stats.size);
    const identity = identityOf(opened.stats);
    if (known.get(digest) === identity) return { ...opened, size, isKnown: true };
    if (!range) return { ...opened, size, isKnown: false };
    try {
      const isRight = await singleFlight(`${digest} ${identity}`, () => check(digest, opened));
      if (isRight) return { ...opened, size, isKnown: true };
    } catch (error) {
      await opened.file.close();
      throw error;
    }
    await opened.file.close();
    return undefined;
  };

  return {
    async open(digest, range) {
      const opened = await openChecked(digest, range);
      if (!opened) return undefined;
      const { file, size, isKnown } = opened;
      if (isKnown) return { size, stream: streamKnown(file, range) };
      const ended = (isRight: boolean) => conclude(digest, opened, isRight);
      return { size, stream: streamHashed({ file, size, digest }, ended) };
    },

    async openToPour(digest, range) {
      const opened = await openChecked(digest, range);
      if (!opened) return undefined;
      const { file, size, isKnown } = opened;
      const span = range ?? { first: 0, last: size - 1 };
      if (isKnown) return { size, pour: (take) => pourFile(file, span, take) };
      const ended = (isRight: boolean) => conclude(digest, opened, isRight);
      return { size, pour: (take) => pourHashed({ file, size, digest }, take, ended) };
    },

    read: (digest, bytesMax) =>
      withFile(digest, async (opened) => {
        if (opened.stats.size > bytesMax) return undefined;
        const bytes = await orUnavailable(opened.file.readFile());
        return (await conclude(digest, opened, isContentOf(bytes, digest))) ? bytes : undefined;
      }),

    verify: (digest) => withFile(digest, (opened) => check(digest, opened)),

    async trust(digest, file) {
      known.set(digest, identityOf(await orUnavailable(file.stat({ bigint: true }))));
    },
  };
}
