import pg from 'pg';
import { StartError } from '../../base/index.ts';
import type { Migration } from '../schema/migration.ts';
import { LOCKS, lockCall } from './locks.ts';
import { clientConfig, nameOf, type PostgresTarget } from './target.ts';
import { toPostgres } from './translate.ts';

/** One list of steps in the database; several have histories of their own. */
export interface PostgresSchema {
  readonly name: string;
  readonly migrations: readonly Migration[];
}

const HISTORY = `create table if not exists schema_history (
  schema_name text not null,
  version bigint not null,
  name text not null,
  primary key (schema_name, version)
)`;

/**
 * Brings the schemas up to date. One replica does it, the others wait for it and find it done; each step is one
 * transaction with its entry in the history.
 *
 * @throws {StartError} not reachable, not permitted, or written by a newer version.
 */
export function migratePostgres(target: PostgresTarget, schemas: readonly PostgresSchema[]): Promise<void> {
  return connected(target, async (client) => {
    await client.query(lockCall('pg_advisory_lock', LOCKS.schema));
    await client.query(HISTORY);
    for (const schema of schemas) {
      const from = await checkNotNewer(client, target, schema);
      for (const [index, migration] of schema.migrations.entries()) {
        if (index >= from) await apply(client, schema, index + 1, migration);
      }
    }
  });
}

/** @throws {StartError} not reachable, or the schema is not exactly the one that this version knows. */
export function checkPostgres(target: PostgresTarget, schemas: readonly PostgresSchema[]): Promise<void> {
  return connected(target, async (client) => {
    for (const schema of schemas) {
      const version = await checkNotNewer(client, target, schema);
      if (version >= schema.migrations.length) continue;
      throw new StartError(
        `${nameOf(target)} has schema ${version} of ${schema.name}, this dockgate needs ${schema.migrations.length}: start the server once, it brings the database up to date`,
      );
    }
  });
}

async function checkNotNewer(
  client: pg.Client,
  target: PostgresTarget,
  { name, migrations }: PostgresSchema,
): Promise<number> {
  const { rows } = await client.query<{ readonly version: number }>(
    'select coalesce(max(version), 0) as version from schema_history where schema_name = $1',
    [name],
  );
  const version = rows[0]?.version ?? 0;
  if (version <= migrations.length) return version;
  throw new StartError(
    `${nameOf(target)} was written by a newer dockgate (schema ${version} of ${name}, this one knows ${migrations.length}): ` +
      'start the newer version, or restore the backup made before the upgrade',
  );
}

async function apply(
  client: pg.Client,
  schema: PostgresSchema,
  version: number,
  migration: Migration,
): Promise<void> {
  await client.query('begin');
  for (const statement of migration.statements) {
    // SQLite was there first: what moves rows of an older version finds none here.
    if (typeof statement === 'string') await client.query(toPostgres(statement));
  }
  await client.query('insert into schema_history (schema_name, version, name) values ($1, $2, $3)', [
    schema.name,
    version,
    migration.name,
  ]);
  await client.query('commit');
}

/** A connection of its own, which takes its locks and what it has not committed along when it ends. */
async function connected(target: PostgresTarget, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client(clientConfig(target, { statementMsMax: 0 }));
  // What breaks is told by the question that meets it.
  client.on('error', () => {});
  try {
    await client.connect();
    await work(client);
  } catch (error) {
    if (error instanceof StartError) throw error;
    const said = error instanceof Error ? error.message : String(error);
    throw new StartError(
      `${nameOf(target)} cannot be used (${said}): check database.url, its password and TLS settings, and that the user may create tables there`,
      { cause: error },
    );
  } finally {
    await client.end().catch(() => {});
  }
}
