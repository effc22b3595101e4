import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isNoFile } from './disk.ts';
import { HASH_BYTES, type TreeHash } from './merkle.ts';
import { TILE_WIDTH } from './tree.ts';

/** Level of a hash tile, or the entry bundles beside them. */
export type TileLevel = number | 'entries';

/**
 * Path of a tile below the log's directory (C2SP tlog-tiles): `tile/0/x001/067` or, with a width below 256,
 * `tile/0/x001/067.p/112`.
 */
export function tilePath(level: TileLevel, index: number, width = TILE_WIDTH): string {
  const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, '0');
  const parts = digits.match(/\d{3}/g) ?? [];
  const name = parts.map((part, at) => (at < parts.length - 1 ? `x${part}` : part)).join('/');
  return `tile/${level}/${name}${width < TILE_WIDTH ? `.p/${width}` : ''}`;
}

/** An entry bundle: each line after its length as two bytes, big-endian. */
export function encodeBundle(lines: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const line of lines) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(line.length);
    parts.push(length, line);
  }
  return Buffer.concat(parts);
}

/** The whole entries at the beginning of a bundle; what follows them is no entry. */
export function decodeBundle(bytes: Buffer): {
  readonly lines: readonly Buffer[];
  readonly isWhole: boolean;
} {
  const lines: Buffer[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const end = at + 2 + bytes.readUInt16BE(at);
    if (end > bytes.length) break;
    lines.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return { lines, isWhole: at === bytes.length };
}

/** The whole hashes of a tile's bytes. */
export function decodeTile(bytes: Buffer): readonly TreeHash[] {
  const hashes: TreeHash[] = [];
  for (let at = 0; at + HASH_BYTES <= bytes.length; at += HASH_BYTES)
    hashes.push(bytes.subarray(at, at + HASH_BYTES));
  return hashes;
}

/**
 * Reads a tile; a partial one also from the full one that has taken its place.
 *
 * @returns `undefined` when neither file is there.
 */
export async function readTile(
  log: string,
  tile: { readonly level: TileLevel; readonly index: number; readonly width: number },
): Promise<Buffer | undefined> {
  const { level, index, width } = tile;
  const exact = await readOrNothing(join(log, tilePath(level, index, width)));
  if (exact !== undefined || width === TILE_WIDTH) return exact;
  return readOrNothing(join(log, tilePath(level, index)));
}

async function readOrNothing(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    // Absent is an answer of its own; everything else is a broken disk.
    if (isNoFile(error)) return undefined;
    throw error;
  }
}
