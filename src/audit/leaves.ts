import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from './checkpoint.ts';
import { type Damage, diagnose, identify } from './damage.ts';
import { parseLine } from './line.ts';
import { foldRoot, HASH_BYTES, leafHash, type TreeHash } from './merkle.ts';
import { decodeBundle, decodeTile, readTile, tilePath } from './tiles.ts';
import { createTree, type FullTile, TILE_WIDTH } from './tree.ts';

/** What walking all leaves below a checkpoint gave. */
export interface LeavesReport {
  readonly damage: Damage | undefined;
  /** Each writer's last number. */
  readonly numbers: ReadonlyMap<string, number>;
}

export interface LeavesQuery {
  /** The log's directory. */
  readonly log: string;
  readonly node: string;
  readonly checkpoint: Checkpoint;
  /** Records below this one were pruned: a multiple of 256, and each writer's last number there. */
  readonly pruned: { readonly size: number; readonly numbers: ReadonlyMap<string, number> };
  readonly onProgress: (done: number) => void;
}

/**
 * The careful walk over all records below a checkpoint, which names what is wrong; in constant memory: each line against its hash in the tile, each tile
 * against the hash above it, the root against the checkpoint, each writer's numbers against each other.
 */
export async function checkLeaves(query: LeavesQuery): Promise<LeavesReport> {
  const { log, checkpoint } = query;
  const walk = new Walk(query);
  for (let first = 0; first < query.pruned.size; first += TILE_WIDTH) await walk.prunedBundle(first);
  let next = readFiles(log, checkpoint.size, query.pruned.size);
  for (let first = query.pruned.size; first < checkpoint.size; first += TILE_WIDTH) {
    const files = await next;
    // The disk works on the next bundle while this one is hashed.
    next = readFiles(log, checkpoint.size, first + TILE_WIDTH);
    await walk.bundle(first, Math.min(TILE_WIDTH, checkpoint.size - first), files);
    query.onProgress(Math.min(first + TILE_WIDTH, checkpoint.size));
  }
  return walk.report();
}

/** One bundle's bytes and those of its tile; empty where a file is missing. */
interface BundleFiles {
  readonly entries: Buffer;
  readonly hashes: Buffer;
}

const NO_FILES: BundleFiles = { entries: Buffer.alloc(0), hashes: Buffer.alloc(0) };

/** A failure is met when it is awaited, which may be never where an earlier bundle failed. */
function readFiles(log: string, size: number, first: number): Promise<BundleFiles> {
  const width = Math.min(TILE_WIDTH, size - first);
  if (width <= 0) return Promise.resolve(NO_FILES);
  const index = first / TILE_WIDTH;
  const reading = Promise.all([
    readTile(log, { level: 'entries', index, width }),
    readTile(log, { level: 0, index, width }),
  ]).then(([entries, hashes]) => ({
    entries: entries ?? NO_FILES.entries,
    hashes: hashes ?? NO_FILES.hashes,
  }));
  reading.catch(() => undefined);
  return reading;
}

class Walk {
  readonly #query: LeavesQuery;
  readonly #tree = createTree();
  readonly #numbers: Map<string, number>;
  /** The stored tile last used at each level above the leaves. */
  readonly #stored = new Map<number, { readonly index: number; readonly hashes: readonly TreeHash[] }>();
  /** First place where entries and tiles differ, and where they last differed. */
  #differs: Damage | undefined;
  #differsFile = '';
  #lastDifferent = -1;
  /** First file with bytes that belong to nothing. */
  #foreign: Damage | undefined;
  /** First place where the records themselves do not follow each other. */
  #disorder: Damage | undefined;

  constructor(query: LeavesQuery) {
    this.#query = query;
    this.#numbers = new Map(query.pruned.numbers);
  }

  /** Of what was pruned only the hashes are left. */
  async prunedBundle(first: number): Promise<void> {
    const tile = { level: 0, index: first / TILE_WIDTH, width: TILE_WIDTH };
    const bytes = (await readTile(this.#query.log, tile)) ?? Buffer.alloc(0);
    await this.#append(this.#hashesOf(bytes, tile));
  }

  async bundle(first: number, width: number, files: BundleFiles): Promise<void> {
    const index = first / TILE_WIDTH;
    const lines = await this.#linesOf(files.entries, index, width);
    const expected = this.#hashesOf(files.hashes, { level: 0, index, width });
    const found = lines.map(leafHash);
    const isSame = found.length === width && found.every((hash, k) => expected[k]?.equals(hash) ?? false);
    if (!isSame) {
      this.#lastDifferent = first;
      if (this.#differs === undefined) await this.#differ({ first, width, lines, found, expected });
    }
    for (const [k, line] of lines.entries()) this.#checkOrder(first + k, line);
    await this.#append(found);
  }

  async #append(hashes: readonly TreeHash[]): Promise<void> {
    const filled: FullTile[] = [];
    for (const hash of hashes) filled.push(...this.#tree.append(hash));
    for (const { level, index, hashes: row } of filled)
      await this.#checkAbove(level + 1, index, foldRoot(row));
  }

  async #differ(bundle: {
    readonly first: number;
    readonly width: number;
    readonly lines: readonly Buffer[];
    readonly found: readonly TreeHash[];
    readonly expected: readonly TreeHash[];
  }): Promise<void> {
    const { first, width } = bundle;
    const { log, checkpoint } = this.#query;
    const lastFirst = checkpoint.size - 1 - ((checkpoint.size - 1) % TILE_WIDTH);
    const isEnd = first === lastFirst || !(await hasBundle(log, lastFirst, checkpoint.size - lastFirst));
    this.#differs = diagnose({ ...bundle, numbers: this.#numbers, isEnd });
    this.#differsFile = tilePath(0, first / TILE_WIDTH, width);
  }

  /** A full tile's root against its place in the tile above. What lies below a known difference explains this one. */
  async #checkAbove(level: number, position: number, root: TreeHash | undefined): Promise<void> {
    const index = Math.floor(position / TILE_WIDTH);
    const span = TILE_WIDTH ** level;
    const count = Math.floor(this.#query.checkpoint.size / span);
    const width = Math.min(TILE_WIDTH, count - index * TILE_WIDTH);
    if (width <= 0) return;
    if (this.#stored.get(level)?.index !== index) {
      this.#stored.set(level, { index, hashes: await this.#readHashes(level, index, width) });
    }
    const stored = this.#stored.get(level)?.hashes[position % TILE_WIDTH];
    const first = position * span;
    if (root !== undefined && (stored?.equals(root) ?? false)) return;
    if (this.#lastDifferent >= first) return;
    this.#lastDifferent = first;
    if (this.#differs !== undefined) return;
    this.#differsFile = tilePath(level, index, width);
    const message = `a record from ${first} to ${first + span - 1} was changed together with its tile`;
    this.#differs = { kind: 'rewritten', message, index: first };
  }

  #checkOrder(index: number, line: Buffer): void {
    const record = parseLine(line);
    if (record === undefined || record.node !== this.#query.node) {
      const message = `record ${index} is no record of node ${this.#query.node}`;
      this.#disorder ??= { kind: 'unreadable', message, index, ...identify(line) };
      return;
    }
    const { writer, seq, id } = record;
    const expected = (this.#numbers.get(writer) ?? 0) + 1;
    this.#numbers.set(writer, seq);
    if (seq > expected) {
      const message = `before record ${index}, ${writer} has no numbers ${expected} to ${seq - 1}`;
      this.#disorder ??= { kind: 'hole', message, index, writer, seq: expected };
    } else if (seq < expected) {
      const message = `at record ${index}, ${writer} repeats number ${seq}`;
      this.#disorder ??= { kind: 'repeated', message, index, writer, seq, id };
    }
  }

  report(): LeavesReport {
    return { damage: this.#firstDamage(), numbers: this.#numbers };
  }

  #firstDamage(): Damage | undefined {
    const { size, root } = this.#query.checkpoint;
    if (this.#tree.size === size && this.#tree.root().equals(root)) {
      // The records are what was signed, so only a tile can be what differs.
      const { index } = this.#differs ?? {};
      if (index === undefined) return earlier(this.#foreign, this.#disorder);
      const message = `${this.#differsFile} is not the tile of its records, which are as they were signed`;
      return { kind: 'tile', message, index };
    }
    const message = 'records and tiles agree with each other but not with the signed checkpoint';
    return earlier(this.#differs, this.#disorder) ?? { kind: 'rewritten', message, index: 0 };
  }

  async #linesOf(bytes: Buffer, index: number, width: number): Promise<readonly Buffer[]> {
    const { lines, isWhole } = decodeBundle(bytes);
    if (!isWhole) this.#foreignBytes(tilePath('entries', index, width), index * TILE_WIDTH);
    // A full bundle may stand in for a partial one; a bundle of the asked width must not be longer than that.
    if (width === TILE_WIDTH || (await hasBundle(this.#query.log, index * TILE_WIDTH, width))) return lines;
    return lines.slice(0, width);
  }

  async #readHashes(level: number, index: number, width: number): Promise<readonly TreeHash[]> {
    const bytes = await readTile(this.#query.log, { level, index, width });
    return this.#hashesOf(bytes ?? Buffer.alloc(0), { level, index, width });
  }

  #hashesOf(
    bytes: Buffer,
    { level, index, width }: { readonly level: number; readonly index: number; readonly width: number },
  ): readonly TreeHash[] {
    if (bytes.length !== width * HASH_BYTES && bytes.length !== TILE_WIDTH * HASH_BYTES) {
      this.#foreignBytes(tilePath(level, index, width), index * TILE_WIDTH ** (level + 1));
    }
    return decodeTile(bytes).slice(0, width);
  }

  /** A file that is longer or shorter than its content: damage of its own, unless more is found in it. */
  #foreignBytes(file: string, first: number): void {
    this.#foreign ??= {
      kind: 'tile',
      message: `${file} does not have the length of its content`,
      index: first,
    };
  }
}

/** Of two findings the one that names the earlier record; where both name one, the first. */
function earlier(a: Damage | undefined, b: Damage | undefined): Damage | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return (b.index ?? 0) < (a.index ?? 0) ? b : a;
}

async function hasBundle(log: string, first: number, width: number): Promise<boolean> {
  const path = join(log, tilePath('entries', first / TILE_WIDTH, width));
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
