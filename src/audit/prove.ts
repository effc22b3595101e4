import type { Checkpoint } from './checkpoint.ts';
import { parseLine, printJson } from './line.ts';
import { CHECKPOINT_FILE, LogDamaged, logDirectory, readBundle, readLogFile } from './log-files.ts';
import { leafHash } from './merkle.ts';
import { parseVerifierKey } from './note.ts';
import { consistencyPath, inclusionPath, isContinuation, rootByInclusion } from './paths.ts';
import { printConsistencyProof, printInclusionProof } from './proof-text.ts';
import { keptFrom } from './pruned.ts';
import { followKeys, type KeyChain, openKnown } from './rotation.ts';
import { openSubtrees, type Subtrees } from './subtrees.ts';
import { decodeBundle, readTile } from './tiles.ts';
import { TILE_WIDTH } from './tree.ts';

/** A proof cannot be made; the message says why and what to do. */
export class NoProof extends Error {
  override readonly name = 'NoProof';
}

/** What proofs are made from: a log on disk and its newest checkpoint. */
export interface Prover {
  readonly size: number;
  /** Leaf index of a record; of a request id, that of its newest decision. `undefined`: not under the checkpoint. */
  findIndex(id: string): Promise<number | undefined>;
  /** @throws {NoProof} no such record, or the log is damaged where the proof needs it. */
  prove(index: number): Promise<string>;
  /** The same for a record whose line is known. */
  proveLine(index: number, line: Uint8Array): Promise<string>;
  /**
   * That the log of `newer`, or else the log as it is, continues that of `older`; both are signed notes.
   *
   * @throws {NoProof} not by this log's key, older than each other the wrong way round, or not of one history.
   */
  proveContinuation(older: string, newer?: string): Promise<string>;
}

/**
 * Opens a log, or a copy of one, to make proofs from it. It writes nothing and may run beside a live node.
 *
 * @param publicKey the log's verifier key, `log/key.pub`.
 * @throws {NoProof} there is no checkpoint that this key signed.
 */
export async function openProver(options: {
  readonly directory: string;
  readonly publicKey: string;
}): Promise<Prover> {
  const log = logDirectory(options.directory);
  const believed = parseVerifierKey(options.publicKey);
  if (!believed) throw new NoProof('the public key is no Ed25519 key in the form name+id+base64');
  const keys = await followKeys(log, believed);
  const note = await readLogFile(log, CHECKPOINT_FILE);
  if (note === undefined) throw new NoProof(`${log} has no checkpoint; name the folder that holds \`log\``);
  const newest = openSigned(note, keys, 'the checkpoint');
  const subtrees = openSubtrees(log, newest.size);
  const proveLine = (index: number, line: Uint8Array): Promise<string> =>
    damageIsNoProof(() => proveInclusion({ index, line, note, newest, subtrees }));
  return {
    size: newest.size,
    findIndex: (id) => findIndex(log, newest.size, id),
    proveLine,
    prove: async (index) => proveLine(index, await damageIsNoProof(() => readLine(log, newest.size, index))),
    proveContinuation: (older, newer = note) =>
      damageIsNoProof(() => proveContinuation({ older, newer, keys, newest, subtrees })),
  };
}

async function readLine(log: string, size: number, index: number): Promise<Buffer> {
  if (index >= size) {
    throw new NoProof(
      `the checkpoint covers records 0 to ${size - 1}, not ${index}; a new record waits a second`,
    );
  }
  if (index < (await keptFrom(log))) {
    throw new NoProof(`record ${index} was removed by the retention of the log: only its hash is left`);
  }
  const first = index - (index % TILE_WIDTH);
  const lines = await readBundle(log, first / TILE_WIDTH, Math.min(TILE_WIDTH, size - first));
  const line = lines[index - first];
  if (line === undefined) throw new LogDamaged(`record ${index} is missing`);
  return line;
}

async function proveInclusion(from: {
  readonly index: number;
  readonly line: Uint8Array;
  readonly note: string;
  readonly newest: Checkpoint;
  readonly subtrees: Subtrees;
}): Promise<string> {
  const { index, line, note, newest, subtrees } = from;
  const path = await inclusionPath(subtrees, index, newest.size);
  // A damaged log must not hand out a proof that fails only at the auditor's.
  if (!rootByInclusion(leafHash(line), { index, size: newest.size }, path)?.equals(newest.root)) {
    throw new LogDamaged(`record ${index} does not lead to the checkpoint`);
  }
  return printInclusionProof({ index, path, checkpoint: note, line });
}

async function proveContinuation(from: {
  readonly older: string;
  readonly newer: string;
  readonly keys: KeyChain;
  readonly newest: Checkpoint;
  readonly subtrees: Subtrees;
}): Promise<string> {
  const older = openSigned(from.older, from.keys, 'the older checkpoint');
  const newer = openSigned(from.newer, from.keys, 'the newer checkpoint');
  if (older.size > newer.size) {
    throw new NoProof(
      `the older checkpoint has ${older.size} records and the newer one ${newer.size}: exchange them, ` +
        'or, if that is their order in time, an older copy of the log was put back',
    );
  }
  if (newer.size > from.newest.size) {
    throw new NoProof(
      `the log has ${from.newest.size} records and a checkpoint says ${newer.size}: an older copy was put back`,
    );
  }
  const path = await consistencyPath(from.subtrees, older.size, newer.size);
  if (!isContinuation(older, newer, path)) {
    throw new NoProof('the two checkpoints and this log are not of one history: run: dockgate audit verify');
  }
  return printConsistencyProof({ oldSize: older.size, path, checkpoint: from.newer });
}

function openSigned(note: string, keys: KeyChain, what: string): Checkpoint {
  const checkpoint = openKnown(note, keys);
  if (!checkpoint) throw new NoProof(`${what} is not one that ${keys.newest.name} signed with this key`);
  return checkpoint;
}

/** Newest first: what somebody asks about mostly happened lately. */
async function findIndex(log: string, size: number, id: string): Promise<number | undefined> {
  const wanted = printJson(id);
  for (let first = lastFirst(size); first >= 0; first -= TILE_WIDTH) {
    const width = Math.min(TILE_WIDTH, size - first);
    const bytes = await readTile(log, { level: 'entries', index: first / TILE_WIDTH, width });
    // Most bundles are passed over without being taken apart.
    if (!bytes?.includes(wanted)) continue;
    const at = decodeBundle(bytes)
      .lines.slice(0, width)
      .findLastIndex((line) => line.includes(wanted) && isAbout(line, id));
    if (at >= 0) return first + at;
  }
  return undefined;
}

function isAbout(line: Buffer, id: string): boolean {
  const record = parseLine(line);
  return record?.id === id || (record?.requestId === id && record.kind === 'decision');
}

function lastFirst(size: number): number {
  return size - 1 - ((size - 1) % TILE_WIDTH);
}

/** A damaged log is one more reason why there is no proof of it. */
export async function damageIsNoProof<T>(make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof LogDamaged)) throw error;
    throw new NoProof(`the log is damaged (${error.message}); run: dockgate audit verify`);
  }
}
