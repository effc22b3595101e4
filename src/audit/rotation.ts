import { type Checkpoint, checkpointText, openCheckpoint } from './checkpoint.ts';
import { readLogFile } from './log-files.ts';
import {
  cosignNote,
  openNote,
  parseVerifierKey,
  printVerifierKey,
  type Signer,
  type Verifier,
} from './note.ts';

/** The `count`th exchange of the log's key, counted from 1. */
export function rotationFile(count: number): string {
  return `rotation-${count}`;
}

/** One exchange of the log's key: a checkpoint that the old key and the new one signed, and that names the new one. */
export interface Rotation {
  readonly checkpoint: Checkpoint;
  readonly next: Verifier;
}

/**
 * A checkpoint (C2SP tlog-checkpoint) with one extension line, `key` and the new key, signed by both: the old one says
 * who follows it, the new one that it does.
 */
export function printRotation(head: Omit<Checkpoint, 'origin'>, from: Signer, to: Signer): string {
  const text = checkpointText(from.name, head);
  return cosignNote(`${text}key ${printVerifierKey(to.name, to.publicKey)}\n`, [from, to]);
}

/** `undefined` unless both keys signed it and it is about the log of that name. */
function openRotation(note: string, verifier: Verifier): Rotation | undefined {
  const text = openNote(note, verifier);
  const checkpoint = openCheckpoint(note, verifier);
  const next = parseVerifierKey(/^key (.*)$/m.exec(text ?? '')?.[1] ?? '');
  if (checkpoint === undefined || next?.name !== verifier.name) return undefined;
  return openNote(note, next) === text ? { checkpoint, next } : undefined;
}

/**
 * The first of the log's exchanges that is damaged, seen from the key that signs now: each names a key that signed it
 * and the next one. That the first was signed by the key before it, only who believes that key can tell.
 *
 * @returns the name of its file.
 */
export async function findBrokenRotation(log: string, newest: Verifier): Promise<string | undefined> {
  let signer: Verifier | undefined;
  for (let count = 1; ; count += 1) {
    const file = rotationFile(count);
    const note = await readLogFile(log, file);
    if (note === undefined) {
      const isLast = (await readLogFile(log, rotationFile(count + 1))) === undefined;
      // Followed from there: another exchange may have come since.
      const isWhole = signer === undefined || (await followKeys(log, newest)).newest.text === signer.text;
      return isLast && isWhole ? undefined : file;
    }
    const next = parseVerifierKey(/^key (.*)$/m.exec(note)?.[1] ?? '');
    if (next === undefined || openRotation(note, next) === undefined) return file;
    if (signer !== undefined && openRotation(note, signer) === undefined) return file;
    signer = next;
  }
}

/** What became of the log's key since a key that is believed. */
export interface KeyChain {
  /** The key that must have signed the newest checkpoint. */
  readonly newest: Verifier;
  /** All keys from the believed one on; checkpoints of their time were signed by them. */
  readonly all: readonly Verifier[];
  /** Checkpoints at which the key was exchanged: the log must continue each of them. */
  readonly rotations: readonly Rotation[];
  /** How often the key was exchanged, also before the believed one. */
  readonly count: number;
}

/** Follows the exchanges of the key from one that is believed, as far as they lead. */
export async function followKeys(log: string, believed: Verifier): Promise<KeyChain> {
  const all = [believed];
  const rotations: Rotation[] = [];
  let newest = believed;
  for (let count = 0; ; count += 1) {
    const note = await readLogFile(log, rotationFile(count + 1));
    if (note === undefined) return { newest, all, rotations, count };
    const rotation = openRotation(note, newest);
    // One that the believed key has no part in was before its time.
    if (rotation === undefined) continue;
    rotations.push(rotation);
    newest = rotation.next;
    all.push(newest);
  }
}

/** Opens a checkpoint of any time since a key that is believed. */
export function openKnown(note: string, { all }: KeyChain): Checkpoint | undefined {
  for (const verifier of all) {
    const checkpoint = openCheckpoint(note, verifier);
    if (checkpoint !== undefined) return checkpoint;
  }
  return undefined;
}
