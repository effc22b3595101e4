import { EMPTY_ROOT, heightWithin, nodeHash, type TreeHash } from './merkle.ts';
import type { Subtrees } from './subtrees.ts';

/** A tree head without its name. */
export interface Head {
  readonly size: number;
  readonly root: TreeHash;
}

/** Longest path in a tree of 2^53 leaves and one more for a consistency proof's first hash. */
export const PATH_HASHES_MAX = 54;

/** RFC 6962, section 2.1.1: the audit path of leaf `index` in the tree of the first `size` leaves, leaf to root. */
export async function inclusionPath(
  subtrees: Subtrees,
  index: number,
  size: number,
): Promise<readonly TreeHash[]> {
  const path: TreeHash[] = [];
  for (let from = 0, to = size; to - from > 1; ) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      path.push(await subtrees.hashOf(middle, to));
      to = middle;
    } else {
      path.push(await subtrees.hashOf(from, middle));
      from = middle;
    }
  }
  return path.reverse();
}

/**
 * RFC 6962, section 2.1.2: what shows that the tree of `newSize` leaves begins with that of `oldSize`. Empty for equal
 * sizes, and for 0, which every tree begins with.
 */
export async function consistencyPath(
  subtrees: Subtrees,
  oldSize: number,
  newSize: number,
): Promise<readonly TreeHash[]> {
  if (oldSize === 0) return [];
  const path: TreeHash[] = [];
  let from = 0;
  let to = newSize;
  while (to !== oldSize) {
    const middle = from + splitOf(to - from);
    if (oldSize <= middle) {
      path.push(await subtrees.hashOf(middle, to));
      to = middle;
    } else {
      path.push(await subtrees.hashOf(from, middle));
      from = middle;
    }
  }
  // The whole old tree as a subtree of the new one is known to the reader: it is the old root.
  if (from > 0) path.push(await subtrees.hashOf(from, to));
  return path.reverse();
}

/**
 * RFC 9162, section 2.1.3.2: the root to which a leaf and its path lead.
 *
 * @returns `undefined` when the path has not the length of a path of this leaf in a tree of this size.
 */
export function rootByInclusion(
  leaf: TreeHash,
  place: { readonly index: number; readonly size: number },
  path: readonly TreeHash[],
): TreeHash | undefined {
  if (place.index >= place.size) return undefined;
  const climb = createClimb(place.index, place.size - 1);
  let root = leaf;
  for (const hash of path) {
    if (climb.isAtTop()) return undefined;
    root = climb.isRight() ? nodeHash(hash, root) : nodeHash(root, hash);
    climb.up();
  }
  return climb.isAtTop() ? root : undefined;
}

/** RFC 9162, section 2.1.4.2: whether the path shows that `newer` begins with `older`. */
export function isContinuation(older: Head, newer: Head, path: readonly TreeHash[]): boolean {
  if (older.size > newer.size) return false;
  if (older.size === newer.size) return path.length === 0 && older.root.equals(newer.root);
  if (older.size === 0) return path.length === 0 && older.root.equals(EMPTY_ROOT);
  const isPerfect = 2 ** heightWithin(older.size) === older.size;
  const [first, ...rest] = isPerfect ? [older.root, ...path] : path;
  if (first === undefined) return false;
  const climb = createClimb(older.size - 1, newer.size - 1);
  climb.skipRight();
  let [oldRoot, newRoot] = [first, first];
  for (const hash of rest) {
    if (climb.isAtTop()) return false;
    if (climb.isRight()) {
      oldRoot = nodeHash(hash, oldRoot);
      newRoot = nodeHash(hash, newRoot);
    } else {
      newRoot = nodeHash(newRoot, hash);
    }
    climb.up();
  }
  return climb.isAtTop() && oldRoot.equals(older.root) && newRoot.equals(newer.root);
}

/** The way from a node up to the root: `at` is the node's place in its row, `last` that of the row's last node. */
function createClimb(at: number, last: number) {
  const rise = (): void => {
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  };
  const isRight = (): boolean => at % 2 === 1 || at === last;
  return {
    isAtTop: () => last === 0,
    isRight,
    /** To the row of the next hash; a last node without a sibling is its own parent and takes none. */
    up(): void {
      if (isRight()) while (at % 2 === 0 && at !== 0) rise();
      rise();
    },
    skipRight(): void {
      while (at % 2 === 1) rise();
    },
  };
}

/** The largest power of two smaller than `count`, which is at least 2. */
function splitOf(count: number): number {
  return 2 ** heightWithin(count - 1);
}
