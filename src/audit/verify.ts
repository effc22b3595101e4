import { checkAhead } from './ahead.ts';
import { checkBeside } from './beside.ts';
import { type Checkpoint, nodeOf, openCheckpoint } from './checkpoint.ts';
import type { Damage } from './damage.ts';
import { checkLeaves, type LeavesReport } from './leaves.ts';
import { numbersBeyond } from './leftover.ts';
import { parseLine } from './line.ts';
import {
  CHECKPOINT_FILE,
  LogDamaged,
  logDirectory,
  POSITIONS_FILE,
  readBundle,
  readLogFile,
} from './log-files.ts';
import { parseVerifierKey, type Verifier } from './note.ts';
import { notesIn } from './notes-in.ts';
import { consistencyPath, isContinuation } from './paths.ts';
import { openPositions } from './positions.ts';
import { type Pruned, readPruned } from './pruned.ts';
import { followKeys, type KeyChain, openKnown } from './rotation.ts';
import { findSound } from './sound.ts';
import { openSubtrees, type Subtrees } from './subtrees.ts';
import { TILE_WIDTH } from './tree.ts';
import { listSegments, type Segment } from './wal.ts';

export interface VerifyOptions {
  /** An audit directory, or a copy of one: `log/` and, where it was copied too, `wal/`. */
  readonly directory: string;
  /** The log's verifier key (`log/key.pub`), from a place that the log's owner cannot write to. */
  readonly publicKey: string;
  /** Checkpoints that were kept elsewhere, one or many: the log must continue each of them. */
  readonly against?: string;
  /**
   * A checkpoint up to which this log was verified before: records below it are not read again, only that the log
   * continues it.
   */
  readonly since?: string;
  /** Threads to verify with. Default: one a core, and none besides this one for a small log. */
  readonly threads?: number;
  /** Called again and again; when something is wrong, from the beginning once more. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface VerifyReport {
  readonly isClean: boolean;
  /** The first thing that is wrong. */
  readonly damage?: Damage;
  /** `dockgate/NODE`; empty when the key could not be read. */
  readonly origin: string;
  /** Records below the checkpoint; 0 when there is no valid one. */
  readonly size: number;
  /** Records below this one were not read, since they were verified before. */
  readonly from: number;
  /** Records below this one were removed in good order, which the record `prunedBy` tells; 0: none were. */
  readonly keptFrom: number;
  readonly prunedBy?: number;
  /** The key that signs now, as it follows from the one that was believed; how often it was exchanged. */
  readonly publicKey: string;
  readonly rotations: number;
  /** Root hash in base64, as in the checkpoint. */
  readonly root: string;
  /** Durable records that no checkpoint covers yet. */
  readonly waiting: number;
  /** What a crash left at the ends of write-ahead files. No damage: nobody was answered for it. */
  readonly tornBytes: number;
}

/**
 * Verifies a log with its public key alone, offline, in constant memory. It writes nothing and may run beside a live
 * node. What no checkpoint covers, and everything against a holder of the key, only a copy kept elsewhere shows:
 * pass it as `against`.
 */
export async function verifyLog(options: VerifyOptions): Promise<VerifyReport> {
  const verifier = parseVerifierKey(options.publicKey);
  if (verifier === undefined) {
    return broken('', {
      kind: 'checkpoint',
      message: 'the public key is no Ed25519 key in the form name+id+base64',
    });
  }
  const log = logDirectory(options.directory);
  // Read before the checkpoint: on a live node both can then only be older than that.
  const segments = await listSegments(options.directory);
  const keys = await followKeys(log, verifier);
  const pruned = await readPruned(log, keys.all);
  const knownSize = await knownSizeOf(log, keys);
  const opened = await openNewest(log, keys.newest);
  if ('damage' in opened) return broken(verifier.name, opened.damage);
  const { checkpoint } = opened;
  const nothing = { checkpoint, against: [], since: undefined, segments, keys, pruned };
  const rollBack = findRollBack(checkpoint, Math.max(knownSize, pruned.size));
  if (rollBack !== undefined) return report(nothing, rollBack);
  const against: Checkpoint[] = [];
  for (const note of options.against === undefined ? [] : notesIn(options.against)) {
    const older = openOlder(note, keys, checkpoint);
    if ('damage' in older) return report(nothing, older.damage);
    against.push(older.checkpoint);
  }
  const since = options.since === undefined ? undefined : openOlder(options.since, keys, checkpoint);
  if (since !== undefined && 'damage' in since) return report(nothing, since.damage);
  return verifyRecords(options, { ...nothing, against, since: since?.checkpoint });
}

/** What the records are checked against. */
interface Known {
  readonly checkpoint: Checkpoint;
  readonly against: readonly Checkpoint[];
  readonly since: Checkpoint | undefined;
  readonly segments: ReadonlyMap<string, readonly Segment[]>;
  readonly keys: KeyChain;
  readonly pruned: Pruned;
}

async function verifyRecords(options: VerifyOptions, known: Known): Promise<VerifyReport> {
  const { checkpoint, segments } = known;
  const log = logDirectory(options.directory);
  const { damage, numbers } = await checkRecords(options, known);
  if (damage !== undefined) return report(known, damage);
  const other =
    (await findOtherHistory(log, known)) ??
    (await findUntold(log, known)) ??
    (await checkBeside({ directory: options.directory, log, checkpoint, keys: known.keys }));
  if (other !== undefined) return report(known, other);
  // Of a copy of `log/` alone nobody can tell whether its last entries were about to be signed.
  const beyond = segments.size === 0 ? new Map<string, number>() : await numbersBeyond(log, checkpoint.size);
  const ahead = await checkAhead({ segments, node: nodeOf(checkpoint.origin), numbers, beyond });
  return { ...report(known, ahead.damage), waiting: ahead.waiting, tornBytes: ahead.tornBytes };
}

/** Quickly; where that finds something amiss, or a file that it needs is not there, record by record. */
async function checkRecords(
  options: VerifyOptions,
  { checkpoint, since, pruned }: Known,
): Promise<LeavesReport> {
  const common = {
    log: logDirectory(options.directory),
    node: nodeOf(checkpoint.origin),
    checkpoint,
    pruned: { size: pruned.size, numbers: numbersOf(pruned) },
    onProgress: (done: number) => options.onProgress?.({ done, total: checkpoint.size }),
  };
  const numbers = await findSound({ ...common, from: since?.size ?? 0, threads: options.threads });
  return numbers === undefined ? checkLeaves(common) : { damage: undefined, numbers };
}

function numbersOf({ writers }: Pruned): ReadonlyMap<string, number> {
  return new Map([...writers].map(([writer, { seq }]) => [writer, seq]));
}

/** Damage when the log does not continue a checkpoint that is known. */
async function findOtherHistory(
  log: string,
  { checkpoint, against, since, keys }: Known,
): Promise<Damage | undefined> {
  const subtrees = openSubtrees(log, checkpoint.size);
  const all = [...against, ...keys.rotations.map((rotation) => rotation.checkpoint)];
  const olders = (since === undefined ? all : [since, ...all]).sort((a, b) => a.size - b.size);
  // The records below one that it continues are as they were: what was changed comes after them.
  let sound = 0;
  for (const older of olders) {
    if (await continues(subtrees, older, checkpoint)) sound = older.size;
    else return otherHistory(sound, older.size);
  }
  return undefined;
}

function otherHistory(from: number, to: number): Damage {
  const which = from === 0 ? `the first ${to} records` : `records ${from} to ${to - 1}`;
  const message = `${which} are not those of the checkpoint to compare with: another history`;
  return { kind: 'older-copy', message, index: from };
}

/** Damage when no record tells of what is gone: a note alone may have been signed in the dark. */
async function findUntold(log: string, { checkpoint, pruned }: Known): Promise<Damage | undefined> {
  const { size, toldAt } = pruned;
  if (toldAt === undefined) return undefined;
  const line = await readLine(log, checkpoint.size, toldAt);
  const record = line && parseLine(line);
  if (record?.action === 'log.pruned' && record.change?.after === size) return undefined;
  const message = `the records below ${size} are gone and record ${toldAt}, which should tell it, does not`;
  return { kind: 'removed', message, index: 0 };
}

async function readLine(log: string, size: number, index: number): Promise<Buffer | undefined> {
  if (index >= size) return undefined;
  const at = index % TILE_WIDTH;
  const width = Math.min(TILE_WIDTH, size - index + at);
  return (await readBundle(log, (index - at) / TILE_WIDTH, width))[at];
}

async function continues(subtrees: Subtrees, older: Checkpoint, newer: Checkpoint): Promise<boolean> {
  try {
    return isContinuation(older, newer, await consistencyPath(subtrees, older.size, newer.size));
  } catch (error) {
    // Only below `since`, where tiles were not read before: what is not there shows nothing.
    if (error instanceof LogDamaged) return false;
    throw error;
  }
}

async function knownSizeOf(log: string, { all }: KeyChain): Promise<number> {
  const text = (await readLogFile(log, POSITIONS_FILE)) ?? '';
  return Math.max(...all.map((verifier) => openPositions(text, verifier)?.size ?? 0));
}

type Opened = { readonly checkpoint: Checkpoint } | { readonly damage: Damage };

async function openNewest(log: string, verifier: Verifier): Promise<Opened> {
  const text = await readLogFile(log, CHECKPOINT_FILE);
  if (text === undefined) return { damage: { kind: 'checkpoint', message: `${log} has no checkpoint` } };
  const checkpoint = openCheckpoint(text, verifier);
  if (checkpoint !== undefined) return { checkpoint };
  return {
    damage: { kind: 'checkpoint', message: `the checkpoint is not one that ${verifier.name} signed` },
  };
}

function findRollBack(newest: Checkpoint, knownSize: number): Damage | undefined {
  if (knownSize <= newest.size) return undefined;
  const message = `the log has ${newest.size} records by its checkpoint and signed that it had ${knownSize}`;
  return { kind: 'older-copy', message, index: newest.size };
}

type Older = { readonly checkpoint: Checkpoint } | { readonly damage: Damage };

/** A checkpoint that was kept elsewhere, which the log must not be older than. */
function openOlder(text: string, keys: KeyChain, newest: Checkpoint): Older {
  const checkpoint = openKnown(text, keys);
  if (checkpoint === undefined) {
    const message = `the checkpoint to compare with is not one that ${newest.origin} signed`;
    return { damage: { kind: 'checkpoint', message } };
  }
  if (checkpoint.size <= newest.size) return { checkpoint };
  const message = `the log has ${newest.size} records and had ${checkpoint.size} before: an older copy was put back`;
  return { damage: { kind: 'older-copy', message, index: newest.size } };
}

function report({ checkpoint, since, keys, pruned }: Known, damage: Damage | undefined): VerifyReport {
  const { origin, size, root } = checkpoint;
  const from = since?.size ?? 0;
  const key = { publicKey: keys.newest.text, rotations: keys.count };
  const gone = { keptFrom: pruned.size, ...(pruned.toldAt === undefined ? {} : { prunedBy: pruned.toldAt }) };
  const head = {
    origin,
    size,
    from,
    ...gone,
    ...key,
    root: root.toString('base64'),
    waiting: 0,
    tornBytes: 0,
  };
  return damage === undefined ? { isClean: true, ...head } : { isClean: false, damage, ...head };
}

function broken(origin: string, damage: Damage): VerifyReport {
  return {
    isClean: false,
    damage,
    origin,
    size: 0,
    from: 0,
    keptFrom: 0,
    publicKey: '',
    rotations: 0,
    root: '',
    waiting: 0,
    tornBytes: 0,
  };
}
