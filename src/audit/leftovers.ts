import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './disk.ts';
import type { TileFile } from './log-files.ts';
import { tilePath } from './tiles.ts';
import { TILE_WIDTH } from './tree.ts';

/**
 * Partial tiles that a step wrote which never came to its checkpoint. The records after a restart may come in another
 * order, so such a tile is of no tree that was ever signed: it goes before the log grows past it.
 */
export class Leftovers {
  readonly #log: string;
  /** The directory of partial tiles last seen at each level: only steps of ours have written there since. */
  readonly #swept = new Map<TileFile['level'], number>();

  constructor(log: string) {
    this.#log = log;
  }

  /**
   * @param size leaves below the newest checkpoint on the disk.
   * @param files what the next one will cover.
   */
  async sweep(size: number, files: readonly TileFile[]): Promise<void> {
    for (const { level, index, width } of files) {
      if (width === TILE_WIDTH || this.#swept.get(level) === index) continue;
      const directory = `${join(this.#log, tilePath(level, index))}.p`;
      const kept = partialWidth(level, index, size);
      for (const name of await namesIn(directory)) {
        if (name !== String(width) && !(Number(name) <= kept)) await rm(join(directory, name));
      }
      this.#swept.set(level, index);
    }
  }
}

/** How wide a tile is in a tree of this size; 0 where it is not there. */
function partialWidth(level: TileFile['level'], index: number, size: number): number {
  const count = level === 'entries' ? size : Math.floor(size / TILE_WIDTH ** level);
  return Math.min(TILE_WIDTH, Math.max(0, count - index * TILE_WIDTH));
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}
