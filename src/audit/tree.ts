import { EMPTY_ROOT, foldRoot, type TreeHash } from './merkle.ts';

/** Hashes in a full tile (C2SP tlog-tiles: tiles are eight levels high). */
export const TILE_WIDTH = 256;

/** A tile that has just become full. */
export interface FullTile {
  readonly level: number;
  readonly index: number;
  readonly hashes: readonly TreeHash[];
}

/** What nearly every append fills. */
const NONE: readonly FullTile[] = [];

/** The right edge of a Merkle tree in tiles: all that is needed to append and to know the root. */
export interface Tree {
  readonly size: number;
  root(): TreeHash;
  /** Hashes of the partial tile at the right of each level; an empty list where the level ends with a full one. */
  edge(): readonly (readonly TreeHash[])[];
  /** Appends one leaf. @returns the tiles it filled, lowest level first. */
  append(leaf: TreeHash): readonly FullTile[];
  clone(): Tree;
}

/** @param edge what `edge()` of a tree of this size gives; read from the tiles when a log is opened. */
export function createTree(size = 0, edge: readonly (readonly TreeHash[])[] = []): Tree {
  const levels: TreeHash[][] = edge.map((hashes) => [...hashes]);
  let count = size;

  return {
    get size() {
      return count;
    },
    root() {
      let root: TreeHash | undefined;
      for (const hashes of levels) root = foldRoot(hashes, root);
      return root ?? EMPTY_ROOT;
    },
    edge: () => levels.map((hashes) => [...hashes]),
    append(leaf) {
      let filled: FullTile[] | undefined;
      let hashOf: TreeHash | undefined = leaf;
      let span = TILE_WIDTH;
      count += 1;
      for (let level = 0; hashOf !== undefined; level += 1) {
        const row = levels[level] ?? [];
        levels[level] = row;
        row.push(hashOf);
        hashOf = undefined;
        if (row.length === TILE_WIDTH) {
          filled ??= [];
          filled.push({ level, index: count / span - 1, hashes: row });
          hashOf = foldRoot(row);
          levels[level] = [];
        }
        span *= TILE_WIDTH;
      }
      return filled ?? NONE;
    },
    clone: () => createTree(count, levels),
  };
}

/** How many hashes the partial tile at the right of each level has in a tree of this size, and its index. */
export function edgeOf(size: number): readonly { readonly index: number; readonly width: number }[] {
  const edge: { index: number; width: number }[] = [];
  for (let count = size; count > 0; count = Math.floor(count / TILE_WIDTH)) {
    edge.push({ index: Math.floor(count / TILE_WIDTH), width: count % TILE_WIDTH });
  }
  return edge;
}
