import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isNoFile, makeDirectory, syncDirectory, writeWhole } from './disk.ts';
import type { TreeHash } from './merkle.ts';
import { decodeBundle, decodeTile, encodeBundle, readTile, type TileLevel, tilePath } from './tiles.ts';
import { edgeOf, TILE_WIDTH } from './tree.ts';

/** The files of one Merkle log: checkpoint, hash tiles, entry bundles. */
export function logDirectory(directory: string): string {
  return join(directory, 'log');
}

export const CHECKPOINT_FILE = 'checkpoint';
export const KEY_FILE = 'key.pub';
export const POSITIONS_FILE = 'positions';

/** Files that are written at the same time. */
const WRITES_AT_ONCE = 8;

export interface TileFile {
  readonly level: TileLevel;
  readonly index: number;
  readonly width: number;
  readonly bytes: Uint8Array;
}

/** A file of the log does not hold what a log of its size must hold; `audit verify` says where. */
export class LogDamaged extends Error {
  override readonly name = 'LogDamaged';
}

/** Writes tiles so that all are durable when it resolves. Tiles of the same content may be there already. */
export async function writeTiles(log: string, tiles: readonly TileFile[]): Promise<void> {
  const files = tiles.map(({ level, index, width, bytes }) => ({
    path: join(log, tilePath(level, index, width)),
    bytes,
  }));
  const directories = new Set(files.map(({ path }) => dirname(path)));
  for (const path of directories) await makeDirectory(path);
  // Each waits for the disk; together they wait once. None may count before all are there, so order is nothing.
  for (let at = 0; at < files.length; at += WRITES_AT_ONCE) {
    const some = files.slice(at, at + WRITES_AT_ONCE);
    await allSettled(some.map(({ path, bytes }) => writeWhole(path, bytes)));
  }
  await allSettled([...directories].map(syncDirectory));
}

/** Nothing runs on after a failure: the next try writes the same files. @throws the first failure. */
async function allSettled(writes: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(writes);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Partial tiles may go once the full one is durable (C2SP tlog-tiles, "Partial Tiles"). */
export async function removePartials(log: string, tiles: readonly TileFile[]): Promise<void> {
  for (const { level, index, width } of tiles) {
    if (width < TILE_WIDTH) continue;
    await rm(`${join(log, tilePath(level, index))}.p`, { recursive: true, force: true });
  }
}

/** Replaces a small file of the log, durably. */
export async function writeLogFile(log: string, name: string, text: string): Promise<void> {
  await writeWhole(join(log, name), Buffer.from(text));
  await syncDirectory(log);
}

/** @returns `undefined` when it is not there. */
export async function readLogFile(log: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(join(log, name), 'utf8');
  } catch (error) {
    if (isNoFile(error)) return undefined;
    throw error;
  }
}

/** The hashes at the right edge of the tree, level by level. @throws {LogDamaged} a tile is missing or short. */
export async function readEdge(log: string, size: number): Promise<readonly (readonly TreeHash[])[]> {
  const edge: (readonly TreeHash[])[] = [];
  for (const [level, { index, width }] of edgeOf(size).entries()) {
    const bytes = width === 0 ? Buffer.alloc(0) : await readTile(log, { level, index, width });
    const hashes = decodeTile(bytes ?? Buffer.alloc(0)).slice(0, width);
    if (hashes.length < width) throw new LogDamaged(`${tilePath(level, index, width)} is missing or short`);
    edge.push(hashes);
  }
  return edge;
}

/** The lines of one bundle. @throws {LogDamaged} it is missing or short. */
export async function readBundle(log: string, index: number, width: number): Promise<readonly Buffer[]> {
  const bytes = await readTile(log, { level: 'entries', index, width });
  const lines = bytes === undefined ? [] : decodeBundle(bytes).lines.slice(0, width);
  if (lines.length < width) throw new LogDamaged(`${tilePath('entries', index, width)} is missing or short`);
  return lines;
}

/** All lines with their indexes from `from` up to, not including, `size`. @throws {LogDamaged} */
export async function* readEntries(
  log: string,
  from: number,
  size: number,
): AsyncGenerator<{ readonly index: number; readonly line: Buffer }> {
  for (let first = from - (from % TILE_WIDTH); first < size; first += TILE_WIDTH) {
    const lines = await readBundle(log, first / TILE_WIDTH, Math.min(TILE_WIDTH, size - first));
    for (const [at, line] of lines.entries()) {
      if (first + at >= from) yield { index: first + at, line };
    }
  }
}

export function bundleFile(index: number, lines: readonly Uint8Array[]): TileFile {
  return { level: 'entries', index, width: lines.length, bytes: encodeBundle(lines) };
}

export function hashTileFile(level: number, index: number, hashes: readonly TreeHash[]): TileFile {
  return { level, index, width: hashes.length, bytes: Buffer.concat(hashes) };
}
