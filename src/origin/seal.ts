import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { hashFile, orUnavailable } from '../content/index.ts';
import type { Digest, DigestAlgorithm } from '../oci/index.ts';

/**
 * Makes a file's bytes durable and hashes them all: what was hashed on the way in is not what a crash or another
 * process may have left on disk.
 *
 * @throws {ContentUnavailable} the disk refused.
 */
export async function sealFile(
  path: string,
  algorithm: DigestAlgorithm,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const file = await orUnavailable(open(path, constants.O_RDONLY | constants.O_NOFOLLOW));
  try {
    await orUnavailable(file.sync());
    return await hashFile(file, algorithm);
  } finally {
    await file.close();
  }
}
