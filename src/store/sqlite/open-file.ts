import { chmodSync, closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, SqliteDialect } from 'kysely';
import { StartError } from '../../base/index.ts';
import { nodeSqlite } from './adapter.ts';
import { classify } from './errors.ts';
import { checkVersion, migrate } from './migrate.ts';
import type { DatabaseKind } from './schemas.ts';

/** How long a statement waits for another process, in milliseconds. It waits with the event loop blocked. */
const WRITER_WAIT_MS = 5000;
const READER_WAIT_MS = 50;
/** Pages of the log kept on disk after a checkpoint, in bytes. */
const JOURNAL_BYTES_MAX = 64 * 1024 * 1024;

/** Pages of a rebuildable database that its writer keeps in memory. */
const REBUILT_CACHE_KIB = 64 * 1024;

export interface FileOptions {
  readonly directory: string;
  readonly kind: DatabaseKind;
  /** Where the file is, when not under its own name in the directory. */
  readonly path?: string | undefined;
}

/** An open file. */
export interface OpenFile<Tables> {
  readonly sql: Kysely<Tables>;
  /** Lets what has begun end, then closes the file. */
  close(): Promise<void>;
}

/**
 * Opens a database file for writing, creates it when it is not there, and brings its schema up to date.
 *
 * @throws {StartError} damaged, locked, not permitted, or written by a newer version.
 */
export function openForWriting<Tables>(options: FileOptions): OpenFile<Tables> {
  const { directory, kind, path = join(directory, kind.file) } = options;
  return explaining(path, kind, () => {
    createPrivate(path);
    const database = new DatabaseSync(path, { timeout: WRITER_WAIT_MS, enableForeignKeyConstraints: true });
    return orClose(database, () => {
      database.exec('pragma journal_mode = wal');
      database.exec(`pragma synchronous = ${kind.isRebuildable ? 'normal' : 'full'}`);
      // An index that is filled anew touches pages all over the file; those of the truth are few.
      if (kind.isRebuildable) database.exec(`pragma cache_size = -${REBUILT_CACHE_KIB}`);
      database.exec(`pragma journal_size_limit = ${JOURNAL_BYTES_MAX}`);
      harden(database);
      if (kind.isCheckedAtStart) checkPages(database, path, kind);
      migrate(database, path, kind.migrations);
      // Samples the tables, so that of several indexes the one that narrows most is taken.
      database.exec('pragma optimize = 0x10002');
      return toOpenFile<Tables>(database, { isReadOnly: false });
    });
  });
}

/**
 * Opens a database file that another connection has made.
 *
 * @throws {StartError} missing, damaged, locked, not permitted, or of another version.
 */
export function openForReading<Tables>(options: FileOptions): OpenFile<Tables> {
  const { directory, kind, path = join(directory, kind.file) } = options;
  if (!existsSync(path)) {
    throw new StartError(`${path} does not exist: start dockgate, which creates it, before it is read`);
  }
  return explaining(path, kind, () => {
    const database = new DatabaseSync(path, { readOnly: true, timeout: WRITER_WAIT_MS });
    return orClose(database, () => {
      harden(database);
      checkVersion(database, path, kind.migrations);
      database.exec(`pragma busy_timeout = ${READER_WAIT_MS}`);
      return toOpenFile<Tables>(database, { isReadOnly: true });
    });
  });
}

function toOpenFile<Tables>(
  database: DatabaseSync,
  options: { readonly isReadOnly: boolean },
): OpenFile<Tables> {
  const sql = new Kysely<Tables>({ dialect: new SqliteDialect({ database: nodeSqlite(database, options) }) });
  return {
    sql,
    async close() {
      // There is one connection: having it means that nobody else does.
      await sql.connection().execute(async () => {});
      await sql.destroy();
    },
  };
}

/**
 * The file is made before SQLite sees it, since SQLite would take the rights from the umask; the files beside it get
 * the rights of this one. It is never opened here when it is there: closing it would end the locks that another
 * connection of this process holds.
 */
function createPrivate(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, 'wx', 0o600));
  closeToOthers(path);
}

function closeToOthers(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    if (existsSync(file)) chmodSync(file, 0o600);
  }
}

/** A file that was tampered with must not run code of its own through triggers and views. */
function harden(database: DatabaseSync): void {
  database.enableDefensive(true);
  database.exec('pragma trusted_schema = off');
  database.exec('pragma cell_size_check = on');
}

function checkPages(database: DatabaseSync, path: string, kind: DatabaseKind): void {
  const rows = database.prepare('pragma quick_check(1)').all();
  const first = rows[0]?.quick_check;
  if (first !== 'ok') throw new StartError(`${path} is damaged (${String(first)}): ${kind.remedy}`);
}

function orClose<T>(database: DatabaseSync, work: () => T): T {
  try {
    return work();
  } catch (error) {
    database.close();
    throw error;
  }
}

function explaining<T>(path: string, kind: DatabaseKind, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(explain(error, path, kind), { cause: error });
  }
}

function explain(error: unknown, path: string, kind: DatabaseKind): string {
  const said = error instanceof Error ? error.message : String(error);
  switch (classify(error)) {
    case 'damaged':
      return `${path} is damaged or no database (${said}): ${kind.remedy}`;
    case 'busy':
      return `${path} is locked by another process: stop the other dockgate that runs on this data directory`;
    case 'no-access':
      return `${path} cannot be opened (${said}): give the user that runs dockgate the right to read and write it and its directory`;
    case 'other':
      return `${path} cannot be used (${said}): check the disk and the rights on the directory`;
  }
}
