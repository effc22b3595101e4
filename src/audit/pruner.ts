import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, type Logger, newId, type Random } from '../base/index.ts';
import { type Border, findBorder, type Retention } from './border.ts';
import { codeOf, isThere, syncDirectory } from './disk.ts';
import { type Hold, isSameHold, readHolds } from './holds.ts';
import { logDirectory, writeLogFile } from './log-files.ts';
import type { Signer } from './note.ts';
import type { RecordIndexReads, RecordIndexWrites } from './ports.ts';
import { PRUNED_FILE, type Pruned, printPruned } from './pruned.ts';
import type { AccessRecord, Audit } from './record.ts';
import { tilePath } from './tiles.ts';
import { toldHolds } from './told-holds.ts';
import { TILE_WIDTH } from './tree.ts';

const ACTION = 'log.pruned';
/** Rows of the index that go in one transaction. */
const INDEX_ROWS = 5000;

export interface PrunerOptions {
  /** The audit directory. */
  readonly directory: string;
  readonly retention: Retention;
  /** How often it is looked whether something is to be removed, in milliseconds. */
  readonly everyMs: number;
}

export interface PrunerParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly index: Pick<RecordIndexWrites, 'nextIndex' | 'removeBelow'>;
  readonly audit: Pick<Audit, 'note'>;
  /** Where the records are found that told of holds; absent: holds are compared while the process runs only. */
  readonly records?: Pick<RecordIndexReads, 'search'>;
}

/**
 * Removes what the retention demands (ADR 0013). First a record tells it; when a checkpoint covers that, a signed note
 * says which records are gone, and only then they go. A crash in between repeats the rest.
 */
export class Pruner {
  readonly #options: PrunerOptions;
  readonly #parts: PrunerParts;
  readonly #log: string;
  #pruned: Pruned;
  #wanted: Border | undefined;
  #toldAt: number | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** A start looks for what a crash left of a removal. */
  #mustRemove = true;
  #holds: readonly Hold[] | undefined;

  constructor(options: PrunerOptions, pruned: Pruned, parts: PrunerParts) {
    this.#options = options;
    this.#parts = parts;
    this.#log = logDirectory(options.directory);
    this.#pruned = pruned;
  }

  /** Called with each record that a checkpoint covers. */
  meet(index: number, { kind, action, change }: AccessRecord): void {
    if (this.#wanted === undefined || kind !== 'system' || action !== ACTION) return;
    if (change?.after === this.#wanted.size) this.#toldAt = index;
  }

  /** Goes one step on. Never throws: what could not be removed is removed later. */
  async run(signer: Signer, log: { readonly size: number; readonly neededFrom: number }): Promise<void> {
    try {
      await this.#finish(signer);
      if (this.#mustRemove) await this.#remove();
      const nowMs = this.#parts.clock.monotonicMs();
      if (this.#wanted !== undefined || nowMs - this.#lookedAtMs < this.#options.everyMs) return;
      this.#lookedAtMs = nowMs;
      await this.#look(log);
    } catch (error) {
      this.#parts.logger.error('old records not removed, will retry', { code: codeOf(error) }, error);
    }
  }

  async #look(log: { readonly size: number; readonly neededFrom: number }): Promise<void> {
    const { clock, index } = this.#parts;
    const holds = await readHolds(this.#options.directory);
    await this.#tellHolds(holds, log.size);
    const { retention } = this.#options;
    if (retention.ageMs === undefined && retention.bytesMax === undefined) return;
    const neededFrom = Math.min(log.neededFrom, await index.nextIndex());
    const query = { log: this.#log, nowMs: clock.nowMs(), size: log.size, neededFrom, retention, holds };
    const border = await findBorder(query, this.#pruned);
    if (border === undefined) return;
    this.#wanted = border;
    this.#toldAt = undefined;
    const count = border.size - this.#pruned.size;
    this.#note(ACTION, {
      reason: border.reason,
      count,
      change: { before: this.#pruned.size, after: border.size },
      note: `records ${this.#pruned.size} to ${border.size - 1} are removed; their hashes stay`,
    });
  }

  /**
   * A hold that was added, changed or removed since the last look is told; after a start all that there are, and what
   * differs from what the log told before.
   */
  async #tellHolds(holds: readonly Hold[], size: number): Promise<void> {
    const { index, records } = this.#parts;
    const isFirst = this.#holds === undefined;
    // What the index does not know yet it will by one of the next looks.
    if (isFirst && records !== undefined && (await index.nextIndex()) < size) return;
    const known = this.#holds ?? (records === undefined ? [] : await toldHolds(records));
    const before = new Map(known.map((hold) => [hold.name, hold]));
    const note = isFirst ? { note: 'found so when the server started' } : {};
    for (const hold of holds) {
      const old = before.get(hold.name);
      before.delete(hold.name);
      const isSame = old !== undefined && isSameHold(old, hold);
      if (isSame && !isFirst) continue;
      const change = old === undefined || isSame ? { after: hold } : { before: old, after: hold };
      this.#note('log.hold', { change, ...(old === undefined || isSame ? {} : note) });
      if (isFirst && old !== undefined && !isSame) this.#warn('changed', hold.name);
    }
    for (const hold of before.values()) {
      this.#note('log.hold', { change: { before: hold }, ...note });
      if (isFirst) this.#warn('removed', hold.name);
    }
    this.#holds = holds;
  }

  #warn(what: 'changed' | 'removed', hold: string): void {
    this.#parts.logger.warn(`a hold of the access log was ${what} while no server ran`, { note: hold });
  }

  /** Signs anew what is gone; nothing, where nothing is. @throws {Error} it could not be written. */
  async keepNote(...signers: readonly Signer[]): Promise<void> {
    const { toldAt } = this.#pruned;
    if (toldAt === undefined) return;
    const text = printPruned({ ...this.#pruned, toldAt }, ...signers);
    await writeLogFile(this.#log, PRUNED_FILE, text);
  }

  async #finish(signer: Signer): Promise<void> {
    if (this.#wanted === undefined || this.#toldAt === undefined) return;
    const { size, writers } = this.#wanted;
    const pruned = { size, writers, toldAt: this.#toldAt };
    await writeLogFile(this.#log, PRUNED_FILE, printPruned(pruned, signer));
    this.#pruned = pruned;
    this.#wanted = undefined;
    this.#mustRemove = true;
  }

  /** The oldest first, so that what a crash leaves ends at the border. */
  async #remove(): Promise<void> {
    const { size } = this.#pruned;
    let first = size;
    while (first > 0 && (await isThere(this.#pathOf(first - TILE_WIDTH)))) first -= TILE_WIDTH;
    const directories = new Set<string>();
    for (let at = first; at < size; at += TILE_WIDTH) {
      await rm(this.#pathOf(at), { force: true });
      directories.add(dirname(this.#pathOf(at)));
    }
    for (const directory of directories) await syncDirectory(directory);
    while ((await this.#parts.index.removeBelow(size, INDEX_ROWS)) > 0) {
      // Until none is left.
    }
    this.#mustRemove = false;
    if (first < size) this.#parts.logger.info('old records removed', { count: size - first });
  }

  #pathOf(first: number): string {
    return join(this.#log, tilePath('entries', first / TILE_WIDTH));
  }

  #note(action: string, rest: Pick<AccessRecord, 'reason' | 'count' | 'change' | 'note'>): void {
    const requestId = newId(this.#parts.random);
    this.#parts.audit.note({ kind: 'system', requestId, action, outcome: 'allowed', status: 0, ...rest });
  }
}
