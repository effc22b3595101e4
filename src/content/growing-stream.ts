import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { ByteRange } from '../oci/index.ts';
import { ContentMismatch, orUnavailable } from './faults.ts';
import type { Growth } from './growth.ts';
import type { Lease } from './leases.ts';
import { READ_BYTES, streamOf } from './stream-of.ts';

/**
 * Streams a part of a file while it grows, and ends only when all of the file is known to be right.
 *
 * @param range lies inside the content; absent: all of its `size` bytes.
 */
export function streamGrowing(
  lease: Lease,
  growth: Growth,
  size: number,
  range: ByteRange | undefined,
): Readable {
  const { first, end } = range ? { first: range.first, end: range.last + 1 } : { first: 0, end: size };
  let position = first;
  const next = async (): Promise<Buffer | undefined> => {
    const readable = await growth.beyond(position, end);
    if (position === end) return undefined;
    const chunk = await readAt(await lease.file(), position, readable);
    position += chunk.length;
    return chunk;
  };
  return streamOf(next, lease.release);
}

async function readAt(file: FileHandle, position: number, end: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - position));
  const { bytesRead } = await orUnavailable(file.read(buffer, 0, buffer.length, position));
  if (bytesRead === 0) throw new ContentMismatch('the stored content ended early');
  return buffer.subarray(0, bytesRead);
}
