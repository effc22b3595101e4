import type { Kysely } from 'kysely';
import type { ReplicaTables } from '../tables.ts';
import type { Write } from '../transactions.ts';

/** Keys that all replicas use, sealed by whoever keeps them here. */
export interface SharedKeys {
  /** All of them by name. */
  list(): Promise<ReadonlyMap<string, string>>;
  /** Keeps a key unless one of that name is there. */
  add(name: string, sealed: string): Promise<void>;
}

export function createSharedKeys(reads: Kysely<ReplicaTables>, write: Write<ReplicaTables>): SharedKeys {
  return {
    async list() {
      const rows = await reads.selectFrom('shared_keys').selectAll().orderBy('name').execute();
      return new Map(rows.map(({ name, sealed }) => [name, sealed]));
    },
    add: (name, sealed) =>
      write(async (now) => {
        await now
          .insertInto('shared_keys')
          .values({ name, sealed })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }),
  };
}
