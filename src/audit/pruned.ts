import { KEY_FILE, readLogFile } from './log-files.ts';
import { cosignNote, openNote, parseVerifierKey, type Signer, type Verifier } from './note.ts';
import { type Positions, parsePositions, positionLines } from './positions.ts';

/** The note that says which records were removed in good order (ADR 0013). */
export const PRUNED_FILE = 'pruned';

const TITLE = 'dockgate pruned records';

/** Records below `size` were removed, and where each writer stood there. */
export interface Pruned extends Positions {
  /** Leaf index of the record that told it before it was done; `undefined` where nothing was removed. */
  readonly toldAt: number | undefined;
}

export const NOTHING_PRUNED: Pruned = { size: 0, writers: new Map(), toldAt: undefined };

export function printPruned(
  pruned: Pruned & { readonly toldAt: number },
  ...signers: readonly Signer[]
): string {
  return cosignNote(`${TITLE}\ntold ${pruned.toldAt}\n${positionLines(pruned)}`, signers);
}

/** `undefined` unless the log's key signed it. */
export function openPruned(note: string, verifier: Verifier): Pruned | undefined {
  const [title, told, ...lines] = openNote(note, verifier)?.split('\n') ?? [];
  const toldAt = /^told (\d{1,15})$/.exec(told ?? '')?.[1];
  const positions = parsePositions(lines);
  if (title !== TITLE || toldAt === undefined || positions === undefined) return undefined;
  return { ...positions, toldAt: Number(toldAt) };
}

/** What was removed, by the note that one of the keys signed. */
export async function readPruned(log: string, keys: readonly Verifier[]): Promise<Pruned> {
  const note = (await readLogFile(log, PRUNED_FILE)) ?? '';
  for (const key of keys) {
    const pruned = openPruned(note, key);
    if (pruned !== undefined) return pruned;
  }
  return NOTHING_PRUNED;
}

/** The same by the key beside the log, for who reads it and does not verify it. */
export async function keptFrom(log: string): Promise<number> {
  const verifier = parseVerifierKey((await readLogFile(log, KEY_FILE)) ?? '');
  return verifier === undefined ? 0 : (await readPruned(log, [verifier])).size;
}
