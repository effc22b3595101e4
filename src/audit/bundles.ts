import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isNoFile } from './disk.ts';
import { foldRoot, HASH_BYTES, leafHash, type TreeHash } from './merkle.ts';
import { nameLine } from './plain-line.ts';
import { decodeBundle, decodeTile, type TileLevel, tilePath } from './tiles.ts';
import { TILE_WIDTH } from './tree.ts';

/** A run of bundles to be checked; plain values, so that a thread can be given it. */
export interface BundleRange {
  /** The log's directory. */
  readonly log: string;
  readonly node: string;
  /** Leaves below the checkpoint. */
  readonly size: number;
  /** First bundle, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Bundles below this one were pruned: of them only the hashes are checked. */
  readonly prunedBelow: number;
}

/** Numbers of one writer in a range: without a hole from the first to the last. */
export interface NumberRun {
  readonly writer: string;
  readonly first: number;
  readonly last: number;
}

/** What a range of bundles that are sound adds up to. */
export interface BundleSums {
  /** The root of each bundle, one after the other; of the log's last one as far as it is filled. */
  readonly roots: Uint8Array;
  readonly runs: readonly NumberRun[];
}

/**
 * Checks a range of bundles: each line against its hash in the tile, each line a record of the node, each writer's
 * numbers without a hole. Files are read synchronously: it runs in a thread of its own, or on a small log.
 *
 * @returns `undefined` when anything is not as it should be; what it is, `checkLeaves` says.
 */
export function checkBundles(range: BundleRange): BundleSums | undefined {
  const roots = Buffer.alloc((range.to - range.from) * HASH_BYTES);
  const runs = new Map<string, { readonly first: number; last: number }>();
  for (let index = range.from; index < range.to; index += 1) {
    const hashes = readHashes(range, index);
    if (hashes === undefined) return undefined;
    if (index >= range.prunedBelow && !isBundleSound(range, index, hashes, runs)) return undefined;
    foldRoot(hashes)?.copy(roots, (index - range.from) * HASH_BYTES);
  }
  return { roots, runs: [...runs].map(([writer, run]) => ({ writer, ...run })) };
}

function isBundleSound(
  { log, node, size }: BundleRange,
  index: number,
  hashes: readonly TreeHash[],
  runs: Map<string, { readonly first: number; last: number }>,
): boolean {
  const bytes = readTileSync(log, 'entries', index, hashes.length);
  if (bytes === undefined) return false;
  const { lines, isWhole } = decodeBundle(bytes);
  // A full bundle may stand in for the partial one of an older checkpoint, as the log goes on meanwhile.
  const isFit = lines.length === hashes.length || (lines.length === TILE_WIDTH && isLast(size, index));
  if (!isWhole || !isFit) return false;
  for (const [at, expected] of hashes.entries()) {
    const line = lines[at];
    if (line === undefined || !leafHash(line).equals(expected)) return false;
    const name = nameLine(line);
    if (name?.node !== node) return false;
    const run = runs.get(name.writer);
    if (run === undefined) runs.set(name.writer, { first: name.seq, last: name.seq });
    else if (name.seq !== run.last + 1) return false;
    else run.last = name.seq;
  }
  return true;
}

/** The hashes of a bundle's tile as far as the checkpoint reaches; `undefined` when the file has another length. */
function readHashes({ log, size }: BundleRange, index: number): readonly TreeHash[] | undefined {
  const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
  const bytes = readTileSync(log, 0, index, width);
  return isTileLength(bytes, width) ? decodeTile(bytes).slice(0, width) : undefined;
}

/** Whether a tile has as many hashes as it must, or is the full one in the place of a partial one. */
export function isTileLength(bytes: Buffer | undefined, width: number): bytes is Buffer {
  return bytes?.length === width * HASH_BYTES || bytes?.length === TILE_WIDTH * HASH_BYTES;
}

function isLast(size: number, index: number): boolean {
  return (index + 1) * TILE_WIDTH > size;
}

/** `readTile` without waiting: reading two small files asynchronously costs as much as hashing what is in them. */
export function readTileSync(
  log: string,
  level: TileLevel,
  index: number,
  width: number,
): Buffer | undefined {
  const exact = readOrNothing(join(log, tilePath(level, index, width)));
  if (exact !== undefined || width === TILE_WIDTH) return exact;
  return readOrNothing(join(log, tilePath(level, index)));
}

function readOrNothing(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    // Absent is an answer of its own; everything else is a broken disk.
    if (isNoFile(error)) return undefined;
    throw error;
  }
}
