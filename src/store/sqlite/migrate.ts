import type { DatabaseSync } from 'node:sqlite';
import { StartError } from '../../base/index.ts';
import type { Migration } from '../schema/migration.ts';

/**
 * Brings the schema up to date. Each step is one transaction with its entry in the history, so that a process
 * killed in the middle of one leaves nothing of it, and the next start goes on from there.
 *
 * @throws {StartError} the file was written by a newer version.
 */
export function migrate(database: DatabaseSync, path: string, migrations: readonly Migration[]): void {
  database.exec(
    'create table if not exists schema_history (version integer primary key, name text not null) strict',
  );
  refuseNewer(database, path, migrations);
  for (let version = currentVersion(database) + 1; version <= migrations.length; version++) {
    const migration = migrations[version - 1];
    if (migration) apply(database, version, migration);
  }
}

/** @throws {StartError} the schema is not exactly the one that this version knows. */
export function checkVersion(database: DatabaseSync, path: string, migrations: readonly Migration[]): void {
  refuseNewer(database, path, migrations);
  const version = currentVersion(database);
  if (version < migrations.length) {
    throw new StartError(
      `${path} has schema ${version}, this dockgate needs ${migrations.length}: start the server once, it brings the file up to date`,
    );
  }
}

function refuseNewer(database: DatabaseSync, path: string, migrations: readonly Migration[]): void {
  const version = currentVersion(database);
  if (version > migrations.length) {
    throw new StartError(
      `${path} was written by a newer dockgate (schema ${version}, this one knows ${migrations.length}): ` +
        'start the newer version, or restore the backup made before the upgrade',
    );
  }
}

function currentVersion(database: DatabaseSync): number {
  const table = database
    .prepare("select count(*) as count from sqlite_schema where type = 'table' and name = 'schema_history'")
    .get();
  if (table?.count !== 1) return 0;
  return Number(
    database.prepare('select coalesce(max(version), 0) as version from schema_history').get()?.version,
  );
}

function apply(database: DatabaseSync, version: number, migration: Migration): void {
  database.exec('begin immediate');
  try {
    for (const statement of migration.statements) {
      database.exec(typeof statement === 'string' ? statement : statement.sqlite);
    }
    database.prepare('insert into schema_history (version, name) values (?, ?)').run(version, migration.name);
    database.exec('commit');
  } catch (error) {
    if (database.isTransaction) database.exec('rollback');
    throw error;
  }
}
