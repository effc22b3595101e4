import { join } from 'node:path';
import {
  type Clock,
  HOUR_MS,
  type Logger,
  MINUTE_MS,
  type Random,
  SECOND_MS,
  StartError,
} from '../base/index.ts';
import type { Retention } from './border.ts';
import { originOf } from './checkpoint.ts';
import { makeDirectory } from './disk.ts';
import type { LogKey } from './key.ts';
import { takeLock } from './lock.ts';
import { logDirectory } from './log-files.ts';
import { keyPathsOf } from './next-key.ts';
import { openLog } from './open-log.ts';
import type { RecordIndexReads, RecordIndexWrites } from './ports.ts';
import type { Audit } from './record.ts';
import { isLogName } from './shape.ts';
import { Steps } from './steps.ts';

export interface SequencerOptions {
  /** The audit directory: `wal/` is read, `log/` is written. */
  readonly directory: string;
  readonly node: string;
  /** How often the write-ahead files are looked at, in milliseconds; the promise is a checkpoint within a second. */
  readonly intervalMs?: number;
  /** An idle log gets a heartbeat record after this many milliseconds. */
  readonly heartbeatMs?: number;
  /** What ends the life of records; default: nothing does. */
  readonly retention?: Retention;
  /** How often that is looked at, and whether there are new holds, in milliseconds. */
  readonly pruneMs?: number;
  /** The file of the log's key: one that is put beside it (`log.next.pem`) takes its place. */
  readonly keyPath?: string;
}

export interface SequencerParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly key: LogKey;
  readonly index: RecordIndexWrites;
  /** Where the records are found that told of holds. */
  readonly records?: Pick<RecordIndexReads, 'search'>;
  /** Where the sequencer's own records go. */
  readonly audit: Pick<Audit, 'note' | 'complete'>;
  /** Records from this leaf on must stay, whatever the retention says: outlets have not delivered them. */
  readonly undelivered?: () => number;
}

export interface Sequencer {
  /** Takes up and signs what is durable now. Runs by itself; a test or a shutdown calls it to wait for it. */
  step(): Promise<void>;
  /** Leaves covered by the signed checkpoint. */
  size(): number;
  /** Whether the last step succeeded; when it did not the records wait safely in the write-ahead files. */
  isHealthy(): boolean;
  /** Empties the search index, which is then filled anew from the log beside everything else. */
  reindex(): Promise<void>;
  /** Makes a last step. Close the writers of this process before. */
  close(): Promise<void>;
}

/**
 * Opens the one Merkle log of a node and keeps appending what its writers made durable.
 *
 * @throws {StartError} another sequencer runs, or the log cannot be continued (see openLog).
 */
export async function openSequencer(options: SequencerOptions, parts: SequencerParts): Promise<Sequencer> {
  if (!isLogName(options.node)) throw new StartError(`audit: "${options.node}" is no name for a node`);
  const { directory } = options;
  await makeDirectory(directory);
  const lock = await takeLock(join(directory, 'sequencer.lock'), parts.random);
  try {
    const signer = { name: originOf(options.node), publicKey: parts.key.publicKey, sign: parts.key.sign };
    const opened = await openLog(logDirectory(directory), signer);
    const steps = new Steps({ directory, heartbeatMs: options.heartbeatMs ?? HOUR_MS }, opened, {
      ...parts,
      signer,
      pruning: { retention: options.retention ?? {}, everyMs: options.pruneMs ?? MINUTE_MS },
      keyPaths: options.keyPath === undefined ? undefined : keyPathsOf(options.keyPath),
    });
    const stop = runSteps(steps, options.intervalMs ?? SECOND_MS / 4);
    return {
      step: () => steps.step(),
      size: () => steps.size,
      isHealthy: () => steps.isHealthy,
      reindex: () => steps.reindex(),
      async close() {
        stop();
        // A last failure is logged; what could not be signed waits for the next start.
        await steps.step().catch(() => undefined);
        await steps.close();
        await steps.keepTransfers();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** @returns the call that ends it. */
function runSteps(steps: Steps, intervalMs: number): () => void {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const wait = (): void => {
    if (isStopped) return;
    timer = setTimeout(() => {
      // The step logs its failure, and the next one tries again.
      steps
        .step()
        .catch(() => undefined)
        .finally(wait);
    }, intervalMs);
    timer.unref();
  };
  wait();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
