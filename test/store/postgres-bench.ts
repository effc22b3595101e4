import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Change, type Clock, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts';
import { openStoreWrites, type PostgresTarget, type StoreWrites } from '../../src/store/index.ts';
import type { OpenStore } from '../contracts/store-bench.ts';
import type { PostgresServer } from '../support/postgres.ts';

export function targetOf(server: PostgresServer, url: string): PostgresTarget {
  return { url, password: server.password, connectionsMax: 8 };
}

/** One replica's store: its files in the directory, its main tables in the database. */
export function openReplica(
  directory: string,
  postgres: PostgresTarget,
  clock: Clock = systemClock,
  publish: (changes: readonly Change[]) => Promise<void> = async () => {},
): Promise<StoreWrites> {
  const parts = { clock, random: systemRandom, logger: silentLogger, publish };
  return openStoreWrites({ directory, postgres, notesScans: true, webhookMessagesMax: 20 }, parts);
}

/** A store in a database of its own, whose tables are emptied for the next test when it is closed. */
export function openPostgresWith(server: () => PostgresServer): OpenStore {
  let url: Promise<string> | undefined;
  return async (clock, publish) => {
    url ??= server().createDatabase();
    const address = await url;
    const directory = await mkdtemp(join(tmpdir(), 'dockgate-store-'));
    const store = await openReplica(directory, targetOf(server(), address), clock, publish);
    return {
      store,
      async close() {
        await store.close();
        const tables = await server().query(
          address,
          "select tablename from pg_tables where schemaname = 'public' and tablename <> 'schema_history'",
        );
        await server().query(address, `truncate ${tables.map((row) => row.tablename).join(', ')}`);
        await rm(directory, { recursive: true });
      },
    };
  };
}
