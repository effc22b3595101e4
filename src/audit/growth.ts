import { bundleFile, hashTileFile, type TileFile } from './log-files.ts';
import type { TreeHash } from './merkle.ts';
import { edgeOf, TILE_WIDTH, type Tree } from './tree.ts';

/** A log as it is held in memory: the tree's right edge and the lines of the last bundle that is not full. */
export interface LogHead {
  readonly tree: Tree;
  readonly lines: readonly Uint8Array[];
}

/** One line on its way into the log. */
export interface Leaf {
  readonly bytes: Uint8Array;
  /** Its leaf hash. */
  readonly leaf: TreeHash;
}

/** What a batch of lines makes of a log: pure, so that a failed write leaves the old head as it was. */
export function growLog(
  head: LogHead,
  lines: readonly Leaf[],
): { readonly head: LogHead; readonly files: readonly TileFile[] } {
  const tree = head.tree.clone();
  const files: TileFile[] = [];
  let bundle = [...head.lines];
  for (const { bytes, leaf } of lines) {
    bundle.push(bytes);
    for (const { level, index, hashes } of tree.append(leaf)) {
      files.push(hashTileFile(level, index, hashes));
    }
    if (bundle.length === TILE_WIDTH) {
      files.push(bundleFile(tree.size / TILE_WIDTH - 1, bundle));
      bundle = [];
    }
  }
  return { head: { tree, lines: bundle }, files: [...files, ...partialFiles(tree, bundle)] };
}

function partialFiles(tree: Tree, bundle: readonly Uint8Array[]): readonly TileFile[] {
  const files: TileFile[] = [];
  const edge = tree.edge();
  for (const [level, { index, width }] of edgeOf(tree.size).entries()) {
    if (width > 0) files.push(hashTileFile(level, index, edge[level] ?? []));
  }
  if (bundle.length > 0) files.push(bundleFile(Math.floor(tree.size / TILE_WIDTH), bundle));
  return files;
}
