import { checkInThreads } from './bundle-threads.ts';
import { isTileLength, type NumberRun, readTileSync } from './bundles.ts';
import type { Checkpoint } from './checkpoint.ts';
import { parseLine } from './line.ts';
import { LogDamaged, readEntries } from './log-files.ts';
import { foldRoot, HASH_BYTES, type TreeHash } from './merkle.ts';
import { decodeTile } from './tiles.ts';
import { TILE_WIDTH } from './tree.ts';

export interface SoundQuery {
  /** The log's directory. */
  readonly log: string;
  readonly node: string;
  readonly checkpoint: Checkpoint;
  /** Records below this one were checked before, under a checkpoint that this log continues. */
  readonly from: number;
  /** Records below this one were pruned: a multiple of 256, and each writer's last number there. */
  readonly pruned: { readonly size: number; readonly numbers: ReadonlyMap<string, number> };
  /** Threads to use; default one a core. */
  readonly threads?: number | undefined;
  readonly onProgress: (done: number) => void;
}

/**
 * The quick look at all records below a checkpoint: threads check bundles against their tiles, and what their roots
 * add up to is checked against the tiles above and the signed root.
 *
 * @returns each writer's last number; `undefined` when anything is not as it should be. What it is, the careful walk
 *   of `checkLeaves` finds out.
 */
export async function findSound(query: SoundQuery): Promise<ReadonlyMap<string, number> | undefined> {
  const { log, node, checkpoint, onProgress } = query;
  const { size } = checkpoint;
  const from = Math.floor(query.from / TILE_WIDTH);
  const to = Math.ceil(size / TILE_WIDTH);
  const known = readRoots(log, size, from);
  if (known === undefined) return undefined;
  const sums = await checkInThreads(
    { log, node, size, from, to, prunedBelow: query.pruned.size / TILE_WIDTH },
    { count: query.threads },
    (bundles) => onProgress(Math.min(size, bundles * TILE_WIDTH)),
  );
  if (sums === undefined) return undefined;
  const roots = [...known, ...sums.flatMap(({ roots: bytes }) => decodeTile(Buffer.from(bytes)))];
  if (!isTreeSound(log, checkpoint, roots)) return undefined;
  try {
    return await followNumbers(
      query,
      from,
      sums.flatMap(({ runs }) => runs),
    );
  } catch (error) {
    if (error instanceof LogDamaged) return undefined;
    throw error;
  }
}

/** The roots of the first `count` bundles as the tiles above them have them. */
function readRoots(log: string, size: number, count: number): readonly TreeHash[] | undefined {
  const roots: TreeHash[] = [];
  const full = Math.floor(size / TILE_WIDTH);
  for (let index = 0; roots.length < count; index += 1) {
    const width = Math.min(TILE_WIDTH, full - index * TILE_WIDTH);
    const bytes = readTileSync(log, 1, index, width);
    if (!isTileLength(bytes, width)) return undefined;
    roots.push(...decodeTile(bytes).slice(0, width));
  }
  return roots.slice(0, count);
}

/** Whether the bundles' roots are those of all tiles above them, and lead to the signed root. */
function isTreeSound(log: string, { size, root }: Checkpoint, roots: readonly TreeHash[]): boolean {
  const full = Math.floor(size / TILE_WIDTH);
  const rest = roots[full];
  if (size > 0 && !foldRoot(roots.slice(0, full), rest)?.equals(root)) return false;
  let row = roots.slice(0, full);
  for (let level = 1; row.length > 0; level += 1) {
    const above: TreeHash[] = [];
    for (let first = 0; first < row.length; first += TILE_WIDTH) {
      const hashes = row.slice(first, first + TILE_WIDTH);
      const bytes = readTileSync(log, level, first / TILE_WIDTH, hashes.length);
      if (!isTileLength(bytes, hashes.length)) return false;
      if (!Buffer.concat(hashes).equals(bytes.subarray(0, hashes.length * HASH_BYTES))) return false;
      const whole = hashes.length === TILE_WIDTH ? foldRoot(hashes) : undefined;
      if (whole !== undefined) above.push(whole);
    }
    row = above;
  }
  return true;
}

/** Each writer's last number, when all runs continue each other. */
async function followNumbers(
  { log, pruned }: SoundQuery,
  from: number,
  runs: readonly NumberRun[],
): Promise<ReadonlyMap<string, number> | undefined> {
  const first = from * TILE_WIDTH;
  // A writer that begins with 1 is taken for new: what an earlier verification has seen is not read again.
  const wanted = new Set(runs.filter((run) => run.first > 1).map(({ writer }) => writer));
  const numbers =
    first > pruned.size ? await numbersBefore(log, { first, pruned, wanted }) : new Map(pruned.numbers);
  for (const { writer, first: begins, last } of runs) {
    if (begins !== (numbers.get(writer) ?? 0) + 1) return undefined;
    numbers.set(writer, last);
  }
  return numbers;
}

/** The last numbers of the wanted writers before a bundle, read backwards as far as it takes. */
async function numbersBefore(
  log: string,
  place: {
    readonly first: number;
    readonly pruned: SoundQuery['pruned'];
    readonly wanted: ReadonlySet<string>;
  },
): Promise<Map<string, number>> {
  const { first, pruned, wanted } = place;
  const numbers = new Map<string, number>();
  for (let end = first; end > pruned.size && numbers.size < wanted.size; end -= TILE_WIDTH) {
    const here = new Map<string, number>();
    for await (const { line } of readEntries(log, end - TILE_WIDTH, end)) {
      const record = parseLine(line);
      if (record !== undefined && wanted.has(record.writer)) here.set(record.writer, record.seq);
    }
    for (const [writer, seq] of here) if (!numbers.has(writer)) numbers.set(writer, seq);
  }
  for (const [writer, seq] of pruned.numbers) if (!numbers.has(writer)) numbers.set(writer, seq);
  return numbers;
}
