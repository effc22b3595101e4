import { LogDamaged } from './log-files.ts';
import { EMPTY_ROOT, heightWithin, nodeHash, type TreeHash } from './merkle.ts';
import { decodeTile, readTile, tilePath } from './tiles.ts';
import { TILE_WIDTH } from './tree.ts';

/** Tiles kept in memory: enough for the paths of neighbouring records to share all but the lowest. */
const TILES_MAX = 64;

/** Rows of the tree in one tile (C2SP tlog-tiles). */
const LEVELS = 8;

/** A tile's hashes and all full subtrees above them, row by row. */
type Rows = readonly (readonly TreeHash[])[];

/** Hashes of parts of a log, from its tiles alone. */
export interface Subtrees {
  /**
   * MTH(D[from:to]) of RFC 6962. `from` must be where RFC 6962 begins a subtree of that length, which every range of
   * a proof is.
   *
   * @throws {LogDamaged} a tile is missing or short.
   */
  hashOf(from: number, to: number): Promise<TreeHash>;
}

/**
 * @param log the log's directory.
 * @param size of the log as its newest checkpoint says: a tile that is not full is there in the width of that size.
 */
export function openSubtrees(log: string, size: number): Subtrees {
  const known = new Map<string, Rows>();

  const tileAt = async (level: number, index: number): Promise<Rows> => {
    const width = Math.min(TILE_WIDTH, Math.floor(size / TILE_WIDTH ** level) - index * TILE_WIDTH);
    const path = tilePath(level, index, width);
    const kept = known.get(path);
    if (kept) return kept;
    const hashes = decodeTile((await readTile(log, { level, index, width })) ?? Buffer.alloc(0));
    if (hashes.length < width) throw new LogDamaged(`${path} is missing or short`);
    const [oldest] = known.keys();
    if (known.size >= TILES_MAX && oldest !== undefined) known.delete(oldest);
    const rows = rowsOver(hashes.slice(0, width));
    known.set(path, rows);
    return rows;
  };

  /** The root over 2^`height` leaves, the `index`th such subtree. */
  const perfectAt = async (height: number, index: number): Promise<TreeHash> => {
    const row = height % LEVELS;
    const perTile = TILE_WIDTH / 2 ** row;
    const rows = await tileAt(Math.floor(height / LEVELS), Math.floor(index / perTile));
    return rows[row]?.[index % perTile] ?? EMPTY_ROOT;
  };

  return {
    async hashOf(from, to) {
      const parts: TreeHash[] = [];
      for (let at = from; at < to; ) {
        const height = heightWithin(to - at);
        parts.push(await perfectAt(height, at / 2 ** height));
        at += 2 ** height;
      }
      return parts.reduceRight<TreeHash | undefined>(joinLeft, undefined) ?? EMPTY_ROOT;
    },
  };
}

/** Computed once a tile: the paths of its records then cost no hash. */
function rowsOver(hashes: readonly TreeHash[]): Rows {
  const rows = [hashes];
  for (let below = hashes; rows.length < LEVELS; ) {
    const row: TreeHash[] = [];
    for (let at = 0; at + 1 < below.length; at += 2) {
      row.push(nodeHash(below[at] ?? EMPTY_ROOT, below[at + 1] ?? EMPTY_ROOT));
    }
    rows.push(row);
    below = row;
  }
  return rows;
}

function joinLeft(right: TreeHash | undefined, left: TreeHash): TreeHash {
  return right === undefined ? left : nodeHash(left, right);
}
