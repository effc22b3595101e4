import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import type { RecordIndexReads, RecordIndexWrites } from '../audit/index.ts';
import type { AccountReads, AccountWrites } from '../auth/index.ts';
import type { Change, Clock, Logger, Random } from '../base/index.ts';
import type { Inventory, LinkReads, LinkWrites } from '../content/index.ts';
import type { FactReads, FactWrites, ManifestReads, ScanJobs } from '../verdicts/index.ts';
import { createAccountReads } from './account-reads.ts';
import { createAccountWrites } from './account-writes.ts';
import { createFactReads } from './fact-reads.ts';
import { type ConfigPolicyWrites, createFactWrites } from './fact-writes.ts';
import { createInventory } from './inventory.ts';
import { createLinkReads, createManifestReads } from './link-reads.ts';
import { createLinkWrites } from './link-writes.ts';
import { createRecordIndexReads } from './record-index.ts';
import { createRecordIndexWrites } from './record-index-writes.ts';
import { seedBuiltInRoles } from './role-writes.ts';
import { createScanJobs } from './scan-jobs.ts';
import { openForReading, openForWriting } from './sqlite/open-file.ts';
import { AUDIT_INDEX, type DatabaseKind, MAIN, SCANS } from './sqlite/schemas.ts';
import type { IndexTables, MainTables, ScanTables } from './tables.ts';
import { createWrite } from './transactions.ts';

export interface StoreOptions {
  /** The data directory. */
  readonly directory: string;
  /** The main database; `dockgate.db` in the directory unless told. */
  readonly mainPath?: string;
}

/** What any process of the node may ask. */
export interface StoreReads {
  readonly accounts: AccountReads;
  readonly links: LinkReads;
  readonly inventory: Inventory;
  readonly facts: FactReads;
  readonly manifests: ManifestReads;
  readonly recordIndex: RecordIndexReads;
  /** @throws {StoreUnavailable} the database does not answer now. For /readyz and doctor. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** What the one writing process may do. A write has reached every live process when it resolves. */
export interface StoreWrites extends StoreReads {
  readonly accounts: AccountReads & AccountWrites;
  readonly links: LinkReads & LinkWrites;
  readonly facts: FactReads & FactWrites & ConfigPolicyWrites;
  readonly jobs: ScanJobs;
  readonly recordIndex: RecordIndexReads & RecordIndexWrites;
}

export interface StoreWritesParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Tells every live process of the node what changed, and resolves when all have dropped what they held. */
  readonly publish: (changes: readonly Change[]) => Promise<void>;
}

/**
 * Opens the databases of a data directory for the one process that writes them; makes what is missing and brings
 * schemas up to date.
 *
 * @throws {StartError} a file is damaged, locked, not permitted, or written by a newer version.
 */
export async function openStoreWrites(options: StoreOptions, parts: StoreWritesParts): Promise<StoreWrites> {
  const { directory } = options;
  makeDirectory(directory);
  const opened = new AsyncDisposableStack();
  const open = <Tables>(kind: DatabaseKind, path?: string) => {
    const file = openForWriting<Tables>({ directory, kind, path });
    opened.defer(file.close);
    return createWrite(file.sql, parts.publish);
  };
  try {
    const write = open<MainTables>(MAIN, options.mainPath);
    const writeScans = open<ScanTables>(SCANS);
    const writeIndex = open<IndexTables>(AUDIT_INDEX);
    await write(seedBuiltInRoles);
    // Reads have connections of their own: what a transaction has not committed yet is nobody's business.
    const reads = await openStoreReads(options);
    opened.defer(reads.close);
    parts.logger.info('databases are open', { directory });
    return {
      ...reads,
      accounts: { ...reads.accounts, ...createAccountWrites({ ...parts, write }) },
      links: { ...reads.links, ...createLinkWrites(write) },
      facts: { ...reads.facts, ...createFactWrites(write, parts.clock) },
      jobs: createScanJobs(writeScans),
      recordIndex: { ...reads.recordIndex, ...createRecordIndexWrites(writeIndex) },
      close: () => opened.disposeAsync(),
    };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/**
 * Opens the databases of a data directory for reading, while another process writes them.
 *
 * @throws {StartError} a file is missing, damaged, not permitted, or of another version.
 */
export async function openStoreReads({ directory, mainPath }: StoreOptions): Promise<StoreReads> {
  const main = openForReading<MainTables>({ directory, kind: MAIN, path: mainPath });
  const index = await openOrClose(main, () => openForReading<IndexTables>({ directory, kind: AUDIT_INDEX }));
  return {
    accounts: createAccountReads(main.sql),
    links: createLinkReads(main.sql),
    inventory: createInventory(main.sql),
    facts: createFactReads(main.sql),
    manifests: createManifestReads(main.sql),
    recordIndex: createRecordIndexReads(index.sql),
    async check() {
      await main.sql.selectFrom('roles').select('name').limit(1).execute();
    },
    async close() {
      await index.close();
      await main.close();
    },
  };
}

/** Opens a second file; the first does not stay open when that fails. */
async function openOrClose<T>(first: { close(): Promise<void> }, open: () => T): Promise<T> {
  try {
    return open();
  } catch (error) {
    await first.close();
    throw error;
  }
}

function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // The umask may have taken even the owner's rights.
  chmodSync(directory, 0o700);
}
