import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './disk.ts';
import { type Hold, isHeld } from './holds.ts';
import { parseLine } from './line.ts';
import { readBundle } from './log-files.ts';
import { advance, type Position, type Positions } from './positions.ts';
import { parseTime } from './stamp.ts';
import { tilePath } from './tiles.ts';
import { TILE_WIDTH } from './tree.ts';

/** How long and how much of the log is kept; absent: without a limit. */
export interface Retention {
  /** Records older than this many milliseconds go. */
  readonly ageMs?: number | undefined;
  /** The oldest go while the records take more bytes than this. */
  readonly bytesMax?: number | undefined;
}

export interface BorderQuery {
  /** The log's directory. */
  readonly log: string;
  readonly nowMs: number;
  /** Leaves below the checkpoint. */
  readonly size: number;
  /** Records from here on are wanted by somebody: an open transfer, an outlet, the index. */
  readonly neededFrom: number;
  readonly retention: Retention;
  readonly holds: readonly Hold[];
}

/** A border further on than the one there is, and the demand of the setting that moved it. */
export interface Border extends Positions {
  readonly reason: 'retention.age' | 'retention.bytes';
}

/**
 * Where the kept records should begin: whole bundles go, from the oldest on, as long as a setting demands it and nobody
 * holds or needs a record of them. `undefined`: nothing is to be removed.
 */
export async function findBorder(query: BorderQuery, from: Positions): Promise<Border | undefined> {
  const { log, nowMs, retention, holds } = query;
  const end = Math.min(query.size, query.neededFrom);
  const writers = new Map<string, Position>(from.writers);
  let bytes = retention.bytesMax === undefined ? 0 : await bytesFrom(log, from.size, query.size);
  let border: Border | undefined;
  for (let first = from.size; first + TILE_WIDTH <= end; first += TILE_WIDTH) {
    const lines = await readBundle(log, first / TILE_WIDTH, TILE_WIDTH);
    const records = lines.map(parseLine).filter((record) => record !== undefined);
    const newestMs = Math.max(...records.map(({ time }) => parseTime(time) / 1000));
    const isOld = retention.ageMs !== undefined && newestMs < nowMs - retention.ageMs;
    const isTooMuch = retention.bytesMax !== undefined && bytes > retention.bytesMax;
    if (!(isOld || isTooMuch) || records.some((record) => isHeld(record, holds))) return border;
    for (const line of lines) advance(writers, line);
    bytes -= lines.reduce((sum, line) => sum + line.length + 2, 0);
    const reason = isOld ? 'retention.age' : 'retention.bytes';
    border = { size: first + TILE_WIDTH, writers: new Map(writers), reason };
  }
  return border;
}

async function bytesFrom(log: string, from: number, size: number): Promise<number> {
  let bytes = 0;
  for (let first = from; first + TILE_WIDTH <= size; first += TILE_WIDTH) {
    bytes += (await stat(join(log, tilePath('entries', first / TILE_WIDTH))).catch(orNone)).size;
  }
  return bytes;
}

function orNone(error: unknown): { readonly size: number } {
  // Damage that `verify` names; reading the bundle says so, too.
  if (isMissing(error)) return { size: 0 };
  throw error;
}
