import { type Change, type Clock, type Logger, newId, type Random } from '../../base/index.ts';
import { MAIN_MIGRATIONS } from '../schema/main-schema.ts';
import { REPLICA_MIGRATIONS } from '../schema/replica-schema.ts';
import { SCAN_MIGRATIONS } from '../schema/scan-schema.ts';
import type { MainSql, MainTables, ReplicaTables, ScanTables } from '../tables.ts';
import { createWrite, type Write } from '../transactions.ts';
import { type Alone, createAlone } from './alone.ts';
import { type ChangeLog, createChangeLog, noteChanges } from './change-log.ts';
import { LOCKS } from './locks.ts';
import { checkPostgres, migratePostgres, type PostgresSchema } from './migrate.ts';
import { openPool } from './open-pool.ts';
import { createSharedKeys, type SharedKeys } from './shared-keys.ts';
import type { PostgresTarget } from './target.ts';
import { createTurn } from './turn.ts';

/** What replicas that share one PostgreSQL have in common beside the tables. */
export interface Replicas {
  readonly changes: ChangeLog;
  readonly keys: SharedKeys;
  readonly alone: Alone;
}

/** The main tables and the scan queue, open for the writing process of a replica. */
export interface PostgresWrites {
  readonly write: Write<MainTables>;
  readonly writeScans: Write<ScanTables>;
  readonly replicas: Replicas;
  close(): Promise<void>;
}

export interface PostgresReads {
  readonly sql: MainSql;
  close(): Promise<void>;
}

const SCHEMAS: readonly PostgresSchema[] = [
  { name: 'main', migrations: MAIN_MIGRATIONS },
  { name: 'scans', migrations: SCAN_MIGRATIONS },
  { name: 'replicas', migrations: REPLICA_MIGRATIONS },
];
/** A writer of each kind, and whoever looks for changes. */
const CONNECTIONS_MAX = 4;

/** @throws {StartError} the server is away, refuses, or holds the tables of a newer version. */
export async function openPostgresWrites(
  target: PostgresTarget,
  parts: {
    readonly publish: (changes: readonly Change[]) => Promise<void>;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
  },
): Promise<PostgresWrites> {
  await migratePostgres(target, SCHEMAS);
  const pool = openPool({ ...target, connectionsMax: CONNECTIONS_MAX }, parts);
  const replicaSql = pool.sql<ReplicaTables>();
  const replica = newId(parts.random);
  const turn = createTurn<MainTables & ReplicaTables>(
    LOCKS.writers,
    (now, changes) => noteChanges(now, replica, changes),
    parts,
  );
  const write = createWrite(pool.sql<MainTables & ReplicaTables>(), parts.publish, turn);
  const queueTurn = createTurn<ScanTables>(LOCKS.queue, async () => {}, parts);
  return {
    write,
    writeScans: createWrite(pool.sql<ScanTables>(), parts.publish, queueTurn),
    replicas: {
      changes: createChangeLog(replicaSql, replica),
      keys: createSharedKeys(replicaSql, write),
      alone: createAlone(target),
    },
    close: pool.close,
  };
}

/** @throws {StartError} the server is away, refuses, or does not hold the tables of this version. */
export async function openPostgresReads(
  target: PostgresTarget,
  parts: { readonly logger: Logger },
): Promise<PostgresReads> {
  await checkPostgres(target, SCHEMAS);
  const pool = openPool(target, parts);
  return { sql: pool.sql<MainTables>(), close: pool.close };
}
