import { StartError } from '../base/index.ts';
import { type Checkpoint, openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { makeDirectory } from './disk.ts';
import type { LogHead } from './growth.ts';
import {
  CHECKPOINT_FILE,
  KEY_FILE,
  LogDamaged,
  POSITIONS_FILE,
  readBundle,
  readEdge,
  readEntries,
  readLogFile,
  writeLogFile,
} from './log-files.ts';
import { leafHash } from './merkle.ts';
import { parseVerifierKey, printVerifierKey, type Signer, type Verifier } from './note.ts';
import { advance, openPositions, type Positions, printPositions } from './positions.ts';
import { NOTHING_PRUNED, type Pruned, readPruned } from './pruned.ts';
import { followKeys } from './rotation.ts';
import {
  createTransfers,
  isTransfersNote,
  openTransfers,
  TRANSFERS_FILE,
  type Transfers,
} from './transfers.ts';
import { createTree, TILE_WIDTH } from './tree.ts';

/** What a checkpoint says of its log. */
export type Head = Pick<Checkpoint, 'size' | 'root'>;

export interface OpenedLog {
  readonly head: LogHead;
  readonly positions: Positions;
  readonly transfers: Transfers;
  readonly pruned: Pruned;
}

/**
 * Opens the log for its one writer as the last checkpoint left it, or makes an empty one. Tiles beyond the
 * checkpoint are from a step that did not end: they are written anew.
 *
 * @param known the newest checkpoint that this process has signed: an older one in its place is somebody's doing.
 * @throws {StartError} it is another node's, was signed with another key, or is damaged: nothing may be signed over
 *   that, or the damage would become the truth.
 */
export async function openLog(log: string, signer: Signer, known?: Head): Promise<OpenedLog> {
  const text = await readLogFile(log, CHECKPOINT_FILE);
  if (text === undefined && known !== undefined) {
    throw new StartError(
      `${log}: the checkpoint was removed while the server ran; put the log back as it was`,
    );
  }
  await makeDirectory(log);
  const verifier = await settleKey(log, signer);
  if (text === undefined) return makeLog(log, signer);
  const checkpoint = openCheckpoint(text, verifier);
  if (checkpoint === undefined) {
    throw new StartError(
      `${log}: the checkpoint is not one that ${signer.name} signed; run: dockgate audit verify`,
    );
  }
  if (known !== undefined && isBehind(checkpoint, known)) {
    throw new StartError(
      `${log}: was exchanged for another while the server ran; put the log back as it was`,
    );
  }
  try {
    const head = await readHead(log, checkpoint.size);
    if (!head.tree.root().equals(checkpoint.root))
      throw new LogDamaged('the tiles do not lead to the checkpoint');
    const pruned = await readPruned(log, [verifier]);
    const positions = await findPositions(log, checkpoint.size, { verifier, pruned });
    const kept = { from: pruned.size, size: checkpoint.size };
    const transfers = await openTransfers(log, kept, verifier);
    await mendNotes(log, { verifier, signer, positions, transfers });
    return { head, positions, pruned, transfers };
  } catch (error) {
    if (!(error instanceof LogDamaged)) throw error;
    throw new StartError(`${log}: damaged (${error.message}); run: dockgate audit verify`);
  }
}

/** @throws {LogDamaged} somebody removed or exchanged the log: one that is built further would hide that. */
export async function checkHead(log: string, { name, publicKey }: Signer, known: Head): Promise<void> {
  const verifier = parseVerifierKey(printVerifierKey(name, publicKey));
  const text = await readLogFile(log, CHECKPOINT_FILE);
  const found = text === undefined || verifier === undefined ? undefined : openCheckpoint(text, verifier);
  if (found?.size !== known.size || !found.root.equals(known.root))
    throw new LogDamaged('the checkpoint was removed or exchanged while the server ran');
}

function isBehind({ size, root }: Head, known: Head): boolean {
  return size < known.size || (size === known.size && !root.equals(known.root));
}

/** Notes that follow from the leaves are written anew where they were lost or spoilt: `verify` missed them. */
async function mendNotes(
  log: string,
  parts: {
    readonly verifier: Verifier;
    readonly signer: Signer;
    readonly positions: Positions;
    readonly transfers: Transfers;
  },
): Promise<void> {
  const { verifier, signer, positions, transfers } = parts;
  const known = (await readLogFile(log, POSITIONS_FILE)) ?? '';
  if (openPositions(known, verifier) === undefined) {
    await writeLogFile(log, POSITIONS_FILE, printPositions(positions, signer));
  }
  const open = (await readLogFile(log, TRANSFERS_FILE)) ?? '';
  if (!isTransfersNote(open, verifier)) {
    await writeLogFile(log, TRANSFERS_FILE, transfers.print(positions.size, signer));
  }
}

async function settleKey(log: string, signer: Signer): Promise<Verifier> {
  const text = printVerifierKey(signer.name, signer.publicKey);
  const known = await readLogFile(log, KEY_FILE);
  if (known !== undefined && known.trim() !== text && !(await leadsTo(log, known, text))) {
    throw new StartError(
      `${log}: this log belongs to the key ${known.trim().slice(0, 80)}, not to ${text.slice(0, 80)}; ` +
        'restore the key and the node name, or move the log aside to begin a new one',
    );
  }
  if (known?.trim() !== text) await writeLogFile(log, KEY_FILE, `${text}\n`);
  const verifier = parseVerifierKey(text);
  if (verifier === undefined) throw new StartError(`${log}: the log's key is not an Ed25519 key`);
  return verifier;
}

/** Whether the key was exchanged and the process ended before it wrote the new one down. */
async function leadsTo(log: string, known: string, text: string): Promise<boolean> {
  const believed = parseVerifierKey(known);
  return believed !== undefined && (await followKeys(log, believed)).newest.text === text;
}

async function makeLog(log: string, signer: Signer): Promise<OpenedLog> {
  // Without a checkpoint there is no first tile: one that is there lost its checkpoint to somebody.
  const entry = await readBundle(log, 0, 1).catch(() => undefined);
  if (entry !== undefined)
    throw new StartError(`${log}: the checkpoint was removed; run: dockgate audit verify`);
  const tree = createTree();
  const positions: Positions = { size: 0, writers: new Map() };
  const transfers = createTransfers();
  // Before the checkpoint: that one of these is missing beside it is then somebody's doing.
  await writeLogFile(log, POSITIONS_FILE, printPositions(positions, signer));
  await writeLogFile(log, TRANSFERS_FILE, transfers.print(0, signer));
  await writeLogFile(log, CHECKPOINT_FILE, signCheckpoint({ size: 0, root: tree.root() }, signer));
  return {
    head: { tree, lines: [] },
    positions,
    pruned: NOTHING_PRUNED,
    transfers,
  };
}

async function readHead(log: string, size: number): Promise<LogHead> {
  const edge = await readEdge(log, size);
  const width = size % TILE_WIDTH;
  const lines = width === 0 ? [] : await readBundle(log, Math.floor(size / TILE_WIDTH), width);
  if (!lines.every((line, index) => edge[0]?.[index]?.equals(leafHash(line)))) {
    throw new LogDamaged('the last entries are not those of the tiles');
  }
  return { tree: createTree(size, edge), lines };
}

/** From the signed file and the leaves after it, or from all leaves. */
async function findPositions(
  log: string,
  size: number,
  { verifier, pruned }: { readonly verifier: Verifier; readonly pruned: Pruned },
): Promise<Positions> {
  const text = await readLogFile(log, POSITIONS_FILE);
  const known = text === undefined ? undefined : openPositions(text, verifier);
  const base = known !== undefined && known.size <= size && known.size >= pruned.size ? known : pruned;
  const writers = new Map(base.writers);
  for await (const { line } of readEntries(log, base.size, size)) advance(writers, line);
  return { size, writers };
}
