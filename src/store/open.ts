import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import type { RecordIndexReads, RecordIndexWrites } from '../audit/index.ts';
import type { AccountReads, AccountWrites } from '../auth/index.ts';
import type { Change, Clock, Logger, Random } from '../base/index.ts';
import type { Inventory, LinkReads, LinkWrites, Quotas } from '../content/index.ts';
import type { FactReads, FactWrites, FeedWrites, ManifestReads, ScanJobs } from '../verdicts/index.ts';
import type { WebhookQueue } from '../webhooks/index.ts';
import { createAccountReads } from './account-reads.ts';
import { createAccountWrites } from './account-writes.ts';
import { createFactReads } from './fact-reads.ts';
import { type ConfigPolicyWrites, createFactWrites } from './fact-writes.ts';
import { createFeedWrites } from './feed-writes.ts';
import { createInventory } from './inventory.ts';
import { createLinkReads, createManifestReads } from './link-reads.ts';
import { createLinkWrites } from './link-writes.ts';
import {
  openPostgresReads,
  openPostgresWrites,
  type PostgresWrites,
  type Replicas,
} from './postgres/open.ts';
import type { PostgresTarget } from './postgres/target.ts';
import { createQuotas, type Quota } from './quotas.ts';
import { createRecordIndexReads } from './record-index.ts';
import { createRecordIndexWrites } from './record-index-writes.ts';
import { seedBuiltInRoles } from './role-writes.ts';
import { createScanJobs } from './scan-jobs.ts';
import { openForReading, openForWriting } from './sqlite/open-file.ts';
import { AUDIT_INDEX, type DatabaseKind, MAIN, SCANS } from './sqlite/schemas.ts';
import type { IndexTables, MainTables, ScanTables } from './tables.ts';
import { createWrite } from './transactions.ts';
import { createWebhookQueue } from './webhook-queue.ts';

export interface StoreOptions {
  /** The data directory. */
  readonly directory: string;
  /** The main database; `dockgate.db` in the directory unless told. */
  readonly mainPath?: string;
  /** Where the main tables and the scan queue are instead, for several replicas. */
  readonly postgres?: PostgresTarget | undefined;
  /** Of the embedded registry; none unless told. */
  readonly quotas?: readonly Quota[];
  /** Whether webhooks want to hear of scans that end. */
  readonly notesScans?: boolean;
  /** Messages that wait for one webhook at most; ten thousand unless told. */
  readonly webhookMessagesMax?: number;
}

/** What any process of the node may ask. */
export interface StoreReads {
  readonly accounts: AccountReads;
  readonly links: LinkReads;
  readonly inventory: Inventory;
  readonly quotas: Quotas;
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
  readonly feeds: FeedWrites;
  readonly jobs: ScanJobs;
  readonly webhooks: WebhookQueue;
  readonly recordIndex: RecordIndexReads & RecordIndexWrites;
  /** Absent on SQLite, which one node has for itself. */
  readonly replicas?: Replicas;
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
  try {
    const { write, writeScans, replicas } = await openMain(options, parts, opened);
    const index = openForWriting<IndexTables>({ directory, kind: AUDIT_INDEX });
    opened.defer(index.close);
    const writeIndex = createWrite(index.sql, parts.publish);
    await write(seedBuiltInRoles);
    // Reads have connections of their own: what a transaction has not committed yet is nobody's business.
    const reads = await openStoreReads(options, parts);
    opened.defer(reads.close);
    parts.logger.info('databases are open', { directory });
    return {
      ...reads,
      accounts: { ...reads.accounts, ...createAccountWrites({ ...parts, write }) },
      links: { ...reads.links, ...createLinkWrites(write, options.quotas ?? []) },
      facts: { ...reads.facts, ...createFactWrites(write, parts.clock, options) },
      feeds: createFeedWrites(write),
      jobs: createScanJobs(writeScans),
      webhooks: createWebhookQueue(write, options),
      recordIndex: { ...reads.recordIndex, ...createRecordIndexWrites(writeIndex) },
      ...(replicas ? { replicas } : {}),
      close: () => opened.disposeAsync(),
    };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

async function openMain(
  { directory, mainPath, postgres }: StoreOptions,
  parts: StoreWritesParts,
  opened: AsyncDisposableStack,
): Promise<Omit<PostgresWrites, 'replicas' | 'close'> & { readonly replicas?: Replicas }> {
  if (postgres) {
    const server = await openPostgresWrites(postgres, parts);
    opened.defer(server.close);
    return server;
  }
  const open = <Tables>(kind: DatabaseKind, path?: string) => {
    const file = openForWriting<Tables>({ directory, kind, path });
    opened.defer(file.close);
    return createWrite(file.sql, parts.publish);
  };
  return { write: open<MainTables>(MAIN, mainPath), writeScans: open<ScanTables>(SCANS) };
}

/**
 * Opens the databases of a data directory for reading, while another process writes them.
 *
 * @throws {StartError} a file is missing, damaged, not permitted, or of another version.
 */
export async function openStoreReads(
  { directory, mainPath, postgres, quotas = [] }: StoreOptions,
  parts: Pick<StoreWritesParts, 'logger'>,
): Promise<StoreReads> {
  const main = postgres
    ? await openPostgresReads(postgres, parts)
    : openForReading<MainTables>({ directory, kind: MAIN, path: mainPath });
  const index = await openOrClose(main, () => openForReading<IndexTables>({ directory, kind: AUDIT_INDEX }));
  return {
    accounts: createAccountReads(main.sql),
    links: createLinkReads(main.sql),
    inventory: createInventory(main.sql),
    quotas: createQuotas(main.sql, quotas),
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
