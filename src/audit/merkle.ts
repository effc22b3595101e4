import { hash } from 'node:crypto';

/** SHA-256, 32 bytes. */
export type TreeHash = Buffer;

export const HASH_BYTES = 32;

/** The root of a tree without leaves (RFC 6962, section 2.1: the hash of nothing). */
export const EMPTY_ROOT: TreeHash = sha256(Buffer.alloc(0));

/**
 * What is hashed is put together here: nothing is allocated for it, and between filling it and hashing it nothing else
 * runs. Together with `sha256` this is what the speed of verifying rests on.
 */
const scratch = Buffer.alloc(64 * 1024);

/** RFC 6962, section 2.1: the first byte keeps a leaf from being read as a node. */
export function leafHash(leaf: Uint8Array): TreeHash {
  // Longer than any record: only a damaged bundle or a test has such an entry.
  if (leaf.length >= scratch.length) return sha256(Buffer.concat([Buffer.from([0]), leaf]));
  scratch[0] = 0;
  scratch.set(leaf, 1);
  return sha256(scratch.subarray(0, 1 + leaf.length));
}

export function nodeHash(left: TreeHash, right: TreeHash): TreeHash {
  scratch[0] = 1;
  scratch.set(left, 1);
  scratch.set(right, 1 + HASH_BYTES);
  return sha256(scratch.subarray(0, 1 + 2 * HASH_BYTES));
}

/** By way of a string: a Buffer of its own for 32 bytes costs node:crypto twice as much as the hash. */
function sha256(bytes: Uint8Array): TreeHash {
  return Buffer.from(hash('sha256', bytes, 'latin1'), 'latin1');
}

/** The height of the largest full tree with at most `count` leaves; `count` is at least 1. */
export function heightWithin(count: number): number {
  let height = 0;
  // Not by a logarithm: just below a large power of two it rounds up.
  while (2 ** (height + 1) <= count) height += 1;
  return height;
}

/**
 * The root over `hashes`, each the root of an equally large full subtree, followed by `rest`, the root of a smaller
 * one. RFC 6962 splits at the largest power of two, so full subtrees are the binary digits of the count and are
 * joined from the right.
 */
export function foldRoot(hashes: readonly TreeHash[], rest?: TreeHash): TreeHash | undefined {
  let root = rest;
  let end = hashes.length;
  for (let width = 1; end > 0; width *= 2) {
    if ((hashes.length & width) === 0) continue;
    const subtree = perfectRoot(hashes.slice(end - width, end));
    root = root === undefined ? subtree : nodeHash(subtree, root);
    end -= width;
  }
  return root;
}

/** The root over a power of two of hashes. */
function perfectRoot(hashes: readonly TreeHash[]): TreeHash {
  let row = hashes;
  while (row.length > 1) {
    const above: TreeHash[] = [];
    for (let index = 0; index + 1 < row.length; index += 2) {
      above.push(nodeHash(row[index] ?? EMPTY_ROOT, row[index + 1] ?? EMPTY_ROOT));
    }
    row = above;
  }
  return row[0] ?? EMPTY_ROOT;
}
