import { createHash, type Hash } from 'node:crypto';
import { algorithmOf, type Digest, type DigestAlgorithm, parseDigest } from '../oci/index.ts';

/** The digest of bytes in memory. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm): Digest {
  return digestFrom(createHash(algorithm).update(bytes), algorithm);
}

/** Ends a running hash. */
export function digestFrom(hash: Hash, algorithm: DigestAlgorithm): Digest {
  const digest = parseDigest(`${algorithm}:${hash.digest('hex')}`);
  if (!digest) throw new Error('a digest of our own making does not parse');
  return digest;
}

/** Whether the bytes are what the digest names. */
export function isContentOf(bytes: Uint8Array, digest: Digest): boolean {
  return digestOf(bytes, algorithmOf(digest)) === digest;
}
