import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import { CHECKPOINT_FILE, KEY_FILE, logDirectory, readLogFile } from './log-files.ts';
import { parseVerifierKey } from './note.ts';
import { consistencyPath } from './paths.ts';
import { openSubtrees } from './subtrees.ts';

/** The newest checkpoint of a node's log, as it is sent to others. */
export interface LogHeadNote {
  readonly note: string;
  readonly checkpoint: Checkpoint;
}

/** @returns `undefined` while there is none that the key beside it signed. */
export async function readHeadNote(directory: string): Promise<LogHeadNote | undefined> {
  const log = logDirectory(directory);
  const verifier = parseVerifierKey((await readLogFile(log, KEY_FILE)) ?? '');
  const note = await readLogFile(log, CHECKPOINT_FILE);
  const checkpoint = verifier && note && openCheckpoint(note, verifier);
  return note && checkpoint ? { note, checkpoint } : undefined;
}

/**
 * The body of an `add-checkpoint` (C2SP tlog-witness): the size that the witness knows, the proof that the log
 * continues it, and the checkpoint.
 *
 * @param oldSize at most the checkpoint's size.
 * @throws {LogDamaged} a tile that the proof needs is not there.
 */
export async function printAddCheckpoint(
  directory: string,
  { note, size }: { readonly note: string; readonly size: number },
  oldSize: number,
): Promise<string> {
  const subtrees = openSubtrees(logDirectory(directory), size);
  const path = await consistencyPath(subtrees, oldSize, size);
  const lines = path.map((hash) => `${hash.toString('base64')}\n`).join('');
  return `old ${oldSize}\n${lines}\n${note}`;
}
