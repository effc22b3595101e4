import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Clock,
  HOUR_MS,
  type Logger,
  newId,
  type Random,
  SECOND_MS,
  StartError,
} from '../base/index.ts';
import { originOf, signCheckpoint } from './checkpoint.ts';
import { codeOf, syncDirectory } from './disk.ts';
import { growLog, type LogHead } from './growth.ts';
import type { LogKey } from './key.ts';
import { takeLock } from './lock.ts';
import { logDirectory, removePartials, writeLogFile, writeTiles } from './log-files.ts';
import { leafHash } from './merkle.ts';
import type { Signer } from './note.ts';
import { CHECKPOINT_FILE, type OpenedLog, openLog } from './open-log.ts';
import type { RecordIndexWrites } from './ports.ts';
import { POSITIONS_FILE, type Position, printPositions } from './positions.ts';
import type { Audit } from './record.ts';
import { fillIndex } from './search.ts';
import { isLogName } from './shape.ts';
import { WriterTail } from './tail.ts';
import { listSegments, type WalLine, walDirectory } from './wal.ts';

export interface SequencerOptions {
  /** The audit directory: `wal/` is read, `log/` is written. */
  readonly directory: string;
  readonly node: string;
  /** How often the write-ahead files are looked at, in milliseconds; the promise is a checkpoint within a second. */
  readonly intervalMs?: number;
  /** An idle log gets a heartbeat record after this many milliseconds, so that its end cannot be cut unseen. */
  readonly heartbeatMs?: number;
}

export interface SequencerParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly key: LogKey;
  readonly index: RecordIndexWrites;
  /** Where the sequencer's own records go. */
  readonly audit: Pick<Audit, 'note'>;
}

export interface Sequencer {
  /** Takes up and signs what is durable now. Runs by itself; a test or a shutdown calls it to wait for it. */
  step(): Promise<void>;
  /** Leaves covered by the signed checkpoint. */
  size(): number;
  /** Whether the last step succeeded; when it did not the records wait safely in the write-ahead files. */
  isHealthy(): boolean;
  close(): Promise<void>;
}

/**
 * Opens the one Merkle log of a node and keeps appending what its writers made durable.
 *
 * @throws {StartError} another sequencer runs, or the log cannot be continued (see openLog).
 */
export async function openSequencer(options: SequencerOptions, parts: SequencerParts): Promise<Sequencer> {
  if (!isLogName(options.node)) throw new StartError(`audit: "${options.node}" is no name for a node`);
  const log = logDirectory(options.directory);
  const name = originOf(options.node);
  const signer: Signer = { name, publicKey: parts.key.publicKey, sign: parts.key.sign };
  const opened = await openLog(log, signer);
  const lock = await takeLock(join(options.directory, 'sequencer.lock'), parts.random);
  const steps = new Steps(options, parts, signer, opened);
  steps.start();
  return {
    step: () => steps.step(),
    size: () => steps.size(),
    isHealthy: () => steps.isHealthy(),
    close: () => steps.close().finally(() => lock.release()),
  };
}

class Steps {
  readonly #options: SequencerOptions;
  readonly #parts: SequencerParts;
  readonly #signer: Signer;
  readonly #log: string;
  #head: LogHead;
  #writers: Map<string, Position>;
  #tails = new Map<string, WriterTail>();
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isHealthy = true;
  #isClosed = false;
  /** A step failed half way: only the disk knows which checkpoint counts. */
  #mustReopen = false;
  #grownAtMs: number;

  constructor(options: SequencerOptions, parts: SequencerParts, signer: Signer, opened: OpenedLog) {
    this.#options = options;
    this.#parts = parts;
    this.#signer = signer;
    this.#log = logDirectory(options.directory);
    this.#head = opened.head;
    this.#writers = new Map(opened.positions.writers);
    this.#grownAtMs = parts.clock.monotonicMs();
  }

  size(): number {
    return this.#head.tree.size;
  }

  isHealthy(): boolean {
    return this.#isHealthy;
  }

  start(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(
      () => {
        this.step()
          .catch(() => undefined) // Logged by the step; the next one tries again.
          .finally(() => this.start());
      },
      this.#options.intervalMs ?? SECOND_MS / 4,
    );
    this.#timer.unref();
  }

  /** Steps never overlap: a call waits for the one that runs and then makes its own. */
  step(): Promise<void> {
    this.#running = this.#running.catch(() => undefined).then(() => this.#stepOnce());
    return this.#running;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.step().catch(() => undefined);
  }

  async #stepOnce(): Promise<void> {
    try {
      if (this.#mustReopen) await this.#reopen();
      while (await this.#takeUp()) {
        // As long as a backlog is there.
      }
      this.#isHealthy = true;
    } catch (error) {
      this.#isHealthy = false;
      this.#mustReopen = true;
      this.#parts.logger.error('access log not sequenced, will retry', { code: codeOf(error) }, error);
      throw error;
    }
    await this.#index();
    this.#beat();
  }

  /** What was read and not appended is read again, from where the checkpoint on the disk stands. */
  async #reopen(): Promise<void> {
    const { head, positions } = await openLog(this.#log, this.#signer);
    this.#head = head;
    this.#writers = new Map(positions.writers);
    this.#tails = new Map();
    this.#mustReopen = false;
  }

  /** @returns whether there is more to take up at once. */
  async #takeUp(): Promise<boolean> {
    const { lines, hasMore } = await this.#collect();
    if (lines.length > 0) {
      await this.#append(lines.map((line) => line.bytes));
      for (const { record, bytes } of lines) {
        this.#writers.set(record.writer, { seq: record.seq, leaf: leafHash(bytes) });
      }
      const positions = { size: this.#head.tree.size, writers: this.#writers };
      await writeLogFile(this.#log, POSITIONS_FILE, printPositions(positions, this.#signer));
      await this.#dropCovered();
    }
    return hasMore;
  }

  async #collect(): Promise<{ readonly lines: readonly WalLine[]; readonly hasMore: boolean }> {
    const lines: WalLine[] = [];
    let hasMore = false;
    for (const [writer, segments] of await listSegments(this.#options.directory)) {
      const tail = this.#tails.get(writer) ?? new WriterTail(this.#writers.get(writer));
      this.#tails.set(writer, tail);
      const read = await tail.read(segments);
      for (const { problem, segment, note } of read.problems) {
        this.#parts.logger.warn('write-ahead file of the access log', { writer, segment, problem, note });
      }
      lines.push(...read.lines);
      hasMore ||= read.hasMore;
    }
    // Arrival order: within a writer times never go back, so a stable sort keeps its numbers in order.
    lines.sort((a, b) => (a.record.time < b.record.time ? -1 : a.record.time > b.record.time ? 1 : 0));
    return { lines, hasMore };
  }

  /** Tiles first, then the signature over them: a checkpoint never covers what a crash could take away. */
  async #append(lines: readonly Uint8Array[]): Promise<void> {
    const grown = growLog(this.#head, lines);
    await writeTiles(this.#log, grown.files);
    const { tree } = grown.head;
    await writeLogFile(
      this.#log,
      CHECKPOINT_FILE,
      signCheckpoint({ size: tree.size, root: tree.root() }, this.#signer),
    );
    this.#head = grown.head;
    this.#grownAtMs = this.#parts.clock.monotonicMs();
    await removePartials(this.#log, grown.files);
  }

  /** Segments go when the log holds all their lines; the one with a writer's last line stays as its memory. */
  async #dropCovered(): Promise<void> {
    let isChanged = false;
    for (const [writer, segments] of await listSegments(this.#options.directory)) {
      const keptFrom = this.#tails.get(writer)?.keptFrom ?? 0;
      for (const segment of segments.filter((each) => each.number < keptFrom)) {
        await rm(segment.path, { force: true });
        isChanged = true;
      }
    }
    if (isChanged) await syncDirectory(walDirectory(this.#options.directory));
  }

  async #index(): Promise<void> {
    try {
      await fillIndex(this.#log, this.size(), this.#parts.index);
    } catch (error) {
      // The log is the truth and is signed; the index asks where it stands at the next step.
      this.#parts.logger.error('access log not indexed, will retry', {}, error);
    }
  }

  #beat(): void {
    const { clock, audit, random } = this.#parts;
    if (clock.monotonicMs() - this.#grownAtMs < (this.#options.heartbeatMs ?? HOUR_MS)) return;
    this.#grownAtMs = clock.monotonicMs();
    audit.note({
      kind: 'system',
      requestId: newId(random),
      action: 'log.heartbeat',
      outcome: 'allowed',
      status: 0,
    });
  }
}
