import { checkAhead } from './ahead.ts';
import { type Checkpoint, nodeOf, openCheckpoint } from './checkpoint.ts';
import type { Damage } from './damage.ts';
import { checkLeaves, type LeavesReport } from './leaves.ts';
import { numbersBeyond } from './leftover.ts';
import { CHECKPOINT_FILE, logDirectory, POSITIONS_FILE, readLogFile } from './log-files.ts';
import { parseVerifierKey, type Verifier } from './note.ts';
import { openPositions } from './positions.ts';
import { listSegments, type Segment } from './wal.ts';

export interface VerifyOptions {
  /** An audit directory, or a copy of one: `log/` and, where it was copied too, `wal/`. */
  readonly directory: string;
  /** The log's verifier key (`log/key.pub`), from a place that the log's owner cannot write to. */
  readonly publicKey: string;
  /** A checkpoint that was kept elsewhere: the log must be this one or a continuation of it. */
  readonly against?: string;
  /** Called after every 256 records. */
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
  const knownSize = await knownSizeOf(log, verifier);
  const opened = await openNewest(log, verifier);
  if ('damage' in opened) return broken(verifier.name, opened.damage);
  const against = openAgainst(options.against, verifier, opened.checkpoint, knownSize);
  if ('damage' in against) return report(opened.checkpoint, against.damage);
  return verifyRecords(options, { checkpoint: opened.checkpoint, against: against.checkpoint, segments });
}

async function verifyRecords(
  options: VerifyOptions,
  known: {
    readonly checkpoint: Checkpoint;
    readonly against: Checkpoint | undefined;
    readonly segments: ReadonlyMap<string, readonly Segment[]>;
  },
): Promise<VerifyReport> {
  const { checkpoint, against, segments } = known;
  const log = logDirectory(options.directory);
  const node = nodeOf(checkpoint.origin);
  const leaves = await checkLeaves({
    log,
    node,
    checkpoint,
    size: against?.size,
    onProgress: (done) => options.onProgress?.({ done, total: checkpoint.size }),
  });
  const damage = leaves.damage ?? otherHistory(against, leaves);
  if (damage !== undefined) return report(checkpoint, damage);
  // Of a copy of `log/` alone nobody can tell whether its last entries were about to be signed.
  const beyond = segments.size === 0 ? new Map<string, number>() : await numbersBeyond(log, checkpoint.size);
  const ahead = await checkAhead({ segments, node, numbers: leaves.numbers, beyond });
  return { ...report(checkpoint, ahead.damage), waiting: ahead.waiting, tornBytes: ahead.tornBytes };
}

async function knownSizeOf(log: string, verifier: Verifier): Promise<number> {
  const text = await readLogFile(log, POSITIONS_FILE);
  return text === undefined ? 0 : (openPositions(text, verifier)?.size ?? 0);
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

function openAgainst(
  text: string | undefined,
  verifier: Verifier,
  newest: Checkpoint,
  knownSize: number,
): { readonly checkpoint: Checkpoint | undefined } | { readonly damage: Damage } {
  if (knownSize > newest.size) {
    const message = `the log has ${newest.size} records by its checkpoint and signed that it had ${knownSize}`;
    return { damage: { kind: 'older-copy', message, index: newest.size } };
  }
  if (text === undefined) return { checkpoint: undefined };
  const checkpoint = openCheckpoint(text, verifier);
  if (checkpoint === undefined) {
    return {
      damage: {
        kind: 'checkpoint',
        message: `the checkpoint to compare with is not one that ${verifier.name} signed`,
      },
    };
  }
  if (checkpoint.size <= newest.size) return { checkpoint };
  const message = `the log has ${newest.size} records and had ${checkpoint.size} before: an older copy was put back`;
  return { damage: { kind: 'older-copy', message, index: newest.size } };
}

function otherHistory(against: Checkpoint | undefined, leaves: LeavesReport): Damage | undefined {
  if (against === undefined || leaves.rootAtSize?.equals(against.root)) return undefined;
  const message = `the first ${against.size} records are not those of the checkpoint to compare with: another history`;
  return { kind: 'older-copy', message, index: 0 };
}

function report(checkpoint: Checkpoint, damage: Damage | undefined): VerifyReport {
  const { origin, size, root } = checkpoint;
  const head = { origin, size, root: root.toString('base64'), waiting: 0, tornBytes: 0 };
  return damage === undefined ? { isClean: true, ...head } : { isClean: false, damage, ...head };
}

function broken(origin: string, damage: Damage): VerifyReport {
  return { isClean: false, damage, origin, size: 0, root: '', waiting: 0, tornBytes: 0 };
}
