import { createHash } from 'node:crypto';
import { type BigIntStats, createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { KiB } from '../base/index.ts';
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

/** Takes a piece; the bytes are overwritten once it resolves. */
export type TakePiece = (piece: Uint8Array) => Promise<void>;

/** Bytes of a piece. Two of them are held for each transfer. */
const PIECE_BYTES = 256 * KiB;

/**
 * Gives a part of an open file piece by piece to who sends it on, and closes it. Always the same two pieces of memory:
 * with new ones for every read, a worker spent most of the time of a transfer on collecting them.
 *
 * @param inspect sees each piece before it is given; what it throws ends the pouring, so the piece is not given. Where
 *   the file ends early it sees an empty one.
 * @throws {ContentUnavailable} the disk refused. {ContentMismatch} the file ends early. What `take` rejects with.
 */
export async function pourFile(
  file: FileHandle,
  span: ByteRange,
  take: TakePiece,
  inspect: (piece: Uint8Array, isLast: boolean) => Promise<void> = async () => {},
): Promise<void> {
  try {
    await pourSpan(file, span, take, inspect);
  } finally {
    // Read only: nothing is lost when closing fails.
    await file.close().catch(() => {});
  }
}

async function pourSpan(
  file: FileHandle,
  { first, last }: ByteRange,
  take: TakePiece,
  inspect: (piece: Uint8Array, isLast: boolean) => Promise<void>,
): Promise<void> {
  const bytesMax = Math.min(PIECE_BYTES, last - first + 1);
  let [buffer, other] = [Buffer.allocUnsafeSlow(bytesMax), Buffer.allocUnsafeSlow(bytesMax)];
  let taken = Promise.resolve();
  let position = first;
  do {
    const wanted = Math.min(bytesMax, last + 1 - position);
    // The next piece is read while the one before is on its way.
    const { bytesRead } = await orUnavailable(file.read(buffer, 0, wanted, position));
    position += bytesRead;
    const piece = buffer.subarray(0, bytesRead);
    await inspect(piece, position > last);
    if (bytesRead === 0 && wanted > 0) throw damaged();
    await taken;
    if (bytesRead > 0) taken = take(piece);
    // Looked at in the next round; until then it is not a failure that nobody handles.
    taken.catch(() => {});
    [buffer, other] = [other, buffer];
  } while (position <= last);
  await taken;
}

/**
 * Pours a whole file and hashes it on the way. Its last bytes are given only when the digest turned out right: a
 * reader of anything else sees a broken transfer, never a whole one (threat S-18).
 *
 * @param ended told whether the file is what its digest says, when all of it was read.
 */
export async function pourHashed(
  { file, size, digest }: OpenedFile,
  take: TakePiece,
  ended: (isRight: boolean) => Promise<unknown>,
): Promise<void> {
  const hash = createHash(algorithmOf(digest));
  await pourFile(file, { first: 0, last: size - 1 }, take, async (piece, isLast) => {
    hash.update(piece);
    if (!isLast && piece.length > 0) return;
    const isRight = isLast && digestFrom(hash, algorithmOf(digest)) === digest;
    await ended(isRight);
    if (!isRight) throw damaged();
  });
}

interface OpenedFile {
  readonly file: FileHandle;
  readonly size: number;
  readonly digest: Digest;
}

function damaged(): ContentMismatch {
  return new ContentMismatch('the stored content was damaged and is removed, try again');
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
export function streamHashed(opened: OpenedFile, ended: (isRight: boolean) => Promise<unknown>): Readable {
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
    if (!isRight) throw damaged();
    return size === 0 ? undefined : chunk;
  };
  return streamOf(next, () => {
    // Read only: nothing is lost when closing fails.
    file.close().catch(() => {});
  });
}
