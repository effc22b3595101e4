import { type Clock, type Logger, newId, type Random } from '../base/index.ts';
import { signCheckpoint } from './checkpoint.ts';
import { codeOf } from './disk.ts';
import { growLog, type LogHead } from './growth.ts';
import { createIndexFiller, type IndexFiller } from './index-filler.ts';
import { createIntake, type Intake } from './intake.ts';
import { Leftovers } from './leftovers.ts';
import {
  CHECKPOINT_FILE,
  logDirectory,
  POSITIONS_FILE,
  removePartials,
  writeLogFile,
  writeTiles,
} from './log-files.ts';
import { type KeyPaths, NextKey } from './next-key.ts';
import type { Signer } from './note.ts';
import { checkHead, type Head, type OpenedLog, openLog } from './open-log.ts';
import type { RecordIndexReads, RecordIndexWrites } from './ports.ts';
import { type Position, printPositions } from './positions.ts';
import { Pruner, type PrunerOptions } from './pruner.ts';
import type { Audit } from './record.ts';
import type { TailLine } from './tail.ts';
import { TRANSFERS_FILE, type Transfers, unknownOutcome } from './transfers.ts';

/** The open transfers are kept after so many leaves: at most so many are looked through after a crash. */
const KEEP_LEAVES = 10_000;

export interface StepsParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly index: RecordIndexWrites;
  /** Where the records are found that told of holds. */
  readonly records?: Pick<RecordIndexReads, 'search'>;
  readonly audit: Pick<Audit, 'note' | 'complete'>;
  readonly undelivered?: () => number;
  readonly signer: Signer;
  /** Where a key is put that is to follow; absent: it stays as it is. */
  readonly keyPaths?: KeyPaths | undefined;
  /** What ends the life of records, and how often that is looked at. */
  readonly pruning: Pick<PrunerOptions, 'retention' | 'everyMs'>;
}

/** The sequencer's work, one step after the other: take up, append, sign, index. */
export class Steps {
  readonly #directory: string;
  readonly #heartbeatMs: number;
  readonly #parts: StepsParts;
  readonly #log: string;
  readonly #nextKey: NextKey | undefined;
  readonly #pruner: Pruner;
  #leftovers: Leftovers;
  #signer: Signer;
  #head: LogHead;
  #writers: Map<string, Position>;
  #intake: Intake;
  #transfers: Transfers;
  #transfersKeptAt: number;
  /** Request ids whose unknown outcome was recorded and is on its way into the log. */
  readonly #told = new Set<string>();
  readonly #filler: IndexFiller;
  #running: Promise<void> = Promise.resolve();
  /** A step failed half way: only the disk knows which checkpoint counts. */
  #mustReopen = false;
  #grownAtMs: number;
  isHealthy = true;

  constructor(
    options: { readonly directory: string; readonly heartbeatMs: number },
    opened: OpenedLog,
    parts: StepsParts,
  ) {
    this.#directory = options.directory;
    this.#heartbeatMs = options.heartbeatMs;
    this.#parts = parts;
    this.#log = logDirectory(options.directory);
    this.#filler = createIndexFiller(this.#log, parts);
    this.#pruner = new Pruner({ ...parts.pruning, directory: this.#directory }, opened.pruned, parts);
    this.#leftovers = new Leftovers(this.#log);
    this.#signer = parts.signer;
    this.#nextKey = parts.keyPaths && new NextKey(this.#log, parts.keyPaths);
    this.#head = opened.head;
    this.#writers = new Map(opened.positions.writers);
    this.#intake = createIntake(this.#directory, this.#writers, parts.logger);
    this.#transfers = opened.transfers;
    this.#transfersKeptAt = this.size;
    this.#grownAtMs = parts.clock.monotonicMs();
  }

  get size(): number {
    return this.#head.tree.size;
  }

  /** Fills the search index anew, beside the steps. */
  reindex(): Promise<void> {
    return this.#filler.restart();
  }

  /** What fills the index ends; the steps themselves end with the last call of `step`. */
  close(): Promise<void> {
    return this.#filler.close();
  }

  /** Steps never overlap: a call waits for the one that runs and then makes its own. */
  step(): Promise<void> {
    const before = this.#running.catch(() => undefined);
    this.#running = before.then(() => this.#stepOnce());
    return this.#running;
  }

  async #stepOnce(): Promise<void> {
    try {
      if (this.#mustReopen) await this.#reopen();
      await this.#nextKey?.look(this.#signer, this.#parts);
      await this.#exchangeKey();
      while (await this.#takeUp()) {
        // As long as a backlog is there.
      }
      await this.#exchangeKey();
      this.isHealthy = true;
    } catch (error) {
      this.isHealthy = false;
      this.#mustReopen = true;
      this.#parts.logger.error('access log not sequenced, will retry', { code: codeOf(error) }, error);
      throw error;
    }
    this.#tellEnded();
    await this.#filler.fill(this.size);
    if (this.size - this.#transfersKeptAt >= KEEP_LEAVES) await this.keepTransfers();
    await this.#pruner.run(this.#signer, {
      size: this.size,
      neededFrom: Math.min(
        this.size,
        this.#transfers.oldest() ?? this.size,
        this.#parts.undelivered?.() ?? this.size,
      ),
    });
    this.#beat();
  }

  async #exchangeKey(): Promise<void> {
    const head = this.#newest();
    const keepNotes = (...signers: readonly Signer[]): Promise<void> => this.#keepNotes(...signers);
    const signer = await this.#nextKey?.exchange(this.#signer, head, keepNotes);
    if (signer === undefined || signer === this.#signer) return;
    this.#signer = signer;
    await this.#keepNotes(signer);
  }

  async #keepNotes(...signers: readonly Signer[]): Promise<void> {
    await this.#keepPositions(...signers);
    await writeLogFile(this.#log, TRANSFERS_FILE, this.#transfers.print(this.size, ...signers));
    await this.#pruner.keepNote(...signers);
  }

  async #keepPositions(...signers: readonly Signer[]): Promise<void> {
    const positions = { size: this.size, writers: this.#writers };
    await writeLogFile(this.#log, POSITIONS_FILE, printPositions(positions, ...signers));
  }

  /** What was read and not appended is read again, from where the checkpoint on the disk stands. */
  async #reopen(): Promise<void> {
    const { head, positions, transfers } = await openLog(this.#log, this.#signer, this.#newest());
    this.#head = head;
    this.#writers = new Map(positions.writers);
    this.#transfers = transfers;
    this.#intake = createIntake(this.#directory, this.#writers, this.#parts.logger);
    this.#leftovers = new Leftovers(this.#log);
    this.#mustReopen = false;
  }

  /** @returns whether there is more to take up at once. */
  async #takeUp(): Promise<boolean> {
    const { lines, hasMore } = await this.#intake.collect();
    if (lines.length > 0) {
      await this.#append(lines);
      await this.#keepPositions(this.#signer);
      await this.#intake.removeCovered();
    }
    return hasMore;
  }

  #newest(): Head {
    return { size: this.size, root: this.#head.tree.root() };
  }

  /** Tiles first, then the signature over them: a checkpoint never covers what a crash could take away. */
  async #append(lines: readonly TailLine[]): Promise<void> {
    await checkHead(this.#log, this.#signer, this.#newest());
    const { head, files } = growLog(this.#head, lines);
    await writeTiles(this.#log, files);
    await this.#leftovers.sweep(this.size, files);
    const { size } = head.tree;
    const note = signCheckpoint({ size, root: head.tree.root() }, this.#signer);
    await writeLogFile(this.#log, CHECKPOINT_FILE, note);
    this.#head = head;
    let index = size - lines.length;
    for (const { record, leaf } of lines) {
      this.#transfers.meet(index, record);
      this.#filler.meet(index, record);
      this.#nextKey?.meet(record);
      this.#pruner.meet(index, record);
      index += 1;
      this.#writers.set(record.writer, { seq: record.seq, leaf });
    }
    this.#grownAtMs = this.#parts.clock.monotonicMs();
    await removePartials(this.#log, files);
  }

  /** After the write-ahead files were taken up: what an earlier process of ours has told is then in the log. */
  #tellEnded(): void {
    const ended = this.#transfers.ended();
    // What was told is in the log by now, and no transfer of that name is open any more.
    if (ended.length === 0) this.#told.clear();
    for (const decision of ended) {
      if (this.#told.has(decision.requestId)) continue;
      this.#told.add(decision.requestId);
      this.#parts.audit.complete(unknownOutcome(decision));
    }
  }

  /** Keeps where the open transfers are. It saves work at the next start and nothing else, so it may fail. */
  async keepTransfers(): Promise<void> {
    try {
      await writeLogFile(this.#log, TRANSFERS_FILE, this.#transfers.print(this.size, this.#signer));
      this.#transfersKeptAt = this.size;
    } catch (error) {
      this.#parts.logger.warn('open transfers not kept', { code: codeOf(error) });
    }
  }

  /** A record now and then even when nothing happens: with it a cut end cannot look like a quiet day. */
  #beat(): void {
    const { clock, audit, random } = this.#parts;
    if (clock.monotonicMs() - this.#grownAtMs < this.#heartbeatMs) return;
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
