import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseLine } from './line.ts';
import { decodeBundle, readTile, tilePath } from './tiles.ts';
import { TILE_WIDTH } from './tree.ts';

/**
 * Each writer's highest number among entries beyond the checkpoint. The sequencer writes them just before it signs,
 * and until then their lines wait in the write-ahead files. Entries whose lines are nowhere else are what an older
 * checkpoint, put in the place of a newer one, leaves behind (threat A-09).
 */
export async function numbersBeyond(log: string, size: number): Promise<ReadonlyMap<string, number>> {
  const numbers = new Map<string, number>();
  const index = Math.floor(size / TILE_WIDTH);
  const width = await widestOf(log, index);
  const bytes = width === 0 ? undefined : await readTile(log, { level: 'entries', index, width });
  if (bytes === undefined) return numbers;
  for (const line of decodeBundle(bytes).lines.slice(size % TILE_WIDTH)) {
    const record = parseLine(line);
    if (record !== undefined)
      numbers.set(record.writer, Math.max(record.seq, numbers.get(record.writer) ?? 0));
  }
  return numbers;
}

/** The width of the largest bundle of this index that is there; 0: none. */
async function widestOf(log: string, index: number): Promise<number> {
  const path = join(log, tilePath('entries', index));
  const name = path.slice(dirname(path).length + 1);
  if ((await namesIn(dirname(path))).includes(name)) return TILE_WIDTH;
  const widths = (await namesIn(`${path}.p`)).filter((each) => /^[1-9]\d{0,2}$/.test(each)).map(Number);
  return Math.max(0, ...widths);
}

async function namesIn(path: string): Promise<readonly string[]> {
  // A log that ends with a full bundle has no directory for the next one.
  return readdir(path).catch(() => []);
}
