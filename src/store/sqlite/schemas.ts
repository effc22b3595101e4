import { MAIN_MIGRATIONS } from '../schema/main-schema.ts';
import type { Migration } from '../schema/migration.ts';
import { SCAN_MIGRATIONS } from '../schema/scan-schema.ts';
import { INDEX_MIGRATIONS } from './index-schema.ts';

/** One of the node's database files. */
export interface DatabaseKind {
  readonly file: string;
  readonly migrations: readonly Migration[];
  /** Nothing in it is lost for good; it need not survive a power cut to the last transaction. */
  readonly isRebuildable: boolean;
  /** Whether every page is read at the start. */
  readonly isCheckedAtStart: boolean;
  /** What to do when it is damaged. */
  readonly remedy: string;
}

/** Accounts, grants, links, facts, policies: what must never be lost. */
export const MAIN: DatabaseKind = {
  file: 'dockgate.db',
  migrations: MAIN_MIGRATIONS,
  isRebuildable: false,
  isCheckedAtStart: true,
  remedy: 'nothing is served from it; restore the file from a backup, without its -wal and -shm files',
};

/** The scan queue. */
export const SCANS: DatabaseKind = {
  file: 'scans.db',
  migrations: SCAN_MIGRATIONS,
  isRebuildable: true,
  isCheckedAtStart: true,
  remedy: 'delete it with its -wal and -shm files; images are queued again when they are asked for',
};

/** The search index of the access log. It grows with the log, too large to be read at every start. */
export const AUDIT_INDEX: DatabaseKind = {
  file: 'audit-index.db',
  migrations: INDEX_MIGRATIONS,
  isRebuildable: true,
  isCheckedAtStart: false,
  remedy: 'delete it with its -wal and -shm files; it is rebuilt from the log, which is not touched by this',
};
