import { createHash } from 'node:crypto';
import { type BigIntStats, createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { algorithmOf, type ByteRange, type Digest, type DigestAlgorithm } from '../oci/index.ts';
import { digestFrom } from './digests.ts';
import { ContentMismatch, orUnavailable } from './faults.ts';
import { READ_BYTES, streamOf } from './stream-of.ts';

/**
 * What a file was when it was hashed. Whoever writes to the file or puts another in its place changes the time of its
 * last change, which no call can set back.
 */
export function identityOf(stats: BigIntStats): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

/**
 * Hashes all of an open file.
 *
 * @throws {ContentUnavailable} the disk refused.
 */
export async function hashFile(
  file: FileHandle,
  algorithm: DigestAlgorithm,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const hash = createHash(algorithm);
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (let size = 0; ; ) {
    const { bytesRead } = await orUnavailable(file.read(buffer, 0, buffer.length, size));
    if (bytesRead === 0) return { digest: digestFrom(hash, algorithm), size };
    hash.update(buffer.subarray(0, bytesRead));
    size += bytesRead;
  }
}

/** Streams a file that is known to be right, and closes it. */
export function streamKnown(file: FileHandle, range: ByteRange | undefined): Readable {
  const span = range ? { start: range.first, end: range.last } : {};
  return createReadStream('', { fd: file, highWaterMark: READ_BYTES, ...span });
}

/**
 * Streams a whole file, hashes it on the way, and closes it. Its last bytes leave only when the digest turned out
 * right: a reader of anything else sees a broken transfer, never a whole one (threat S-18).
 *
 * @param ended told whether the file is what its digest says, when all of it was read.
 */
export function streamHashed(
  opened: { readonly file: FileHandle; readonly size: number; readonly digest: Digest },
  ended: (isRight: boolean) => Promise<unknown>,
): Readable {
  const { file, size, digest } = opened;
  const hash = createHash(algorithmOf(digest));
  let position = 0;
  let isOver = false;
  const next = async (): Promise<Buffer | undefined> => {
    if (isOver) return undefined;
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, size - position));
    const { bytesRead } = await orUnavailable(file.read(buffer, 0, buffer.length, position));
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    position += bytesRead;
    if (position < size && bytesRead > 0) return chunk;
    isOver = true;
    const isRight = position === size && digestFrom(hash, algorithmOf(digest)) === digest;
    await ended(isRight);
    if (!isRight) throw new ContentMismatch('the stored content was damaged and is removed, try again');
    return size === 0 ? undefined : chunk;
  };
  return streamOf(next, () => {
    // Read only: nothing is lost when closing fails.
    file.close().catch(() => {});
  });
}
