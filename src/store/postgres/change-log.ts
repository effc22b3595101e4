import { type Kysely, sql as raw } from 'kysely';
import type { Change } from '../../base/index.ts';
import { fromJsonText, toJsonText } from '../json-text.ts';
import type { ReplicaTables } from '../tables.ts';

/** What one transaction of some replica changed. */
export interface LoggedChanges {
  readonly seq: number;
  readonly changes: readonly Change[];
}

/** The changes of all replicas in the order of their transactions: what every other channel is measured against. */
export interface ChangeLog {
  /** Forgets what every replica has heard of. */
  prune(): Promise<void>;
  /** The number of the newest entry; 0 when there is none. */
  newest(): Promise<number>;
  /** What others than this replica changed after that entry, oldest first, and the newest number that was seen. */
  after(seq: number): Promise<{ readonly entries: readonly LoggedChanges[]; readonly newest: number }>;
}

/** Longer than any replica that is heard of lags behind; one that slept longer drops all that it holds anyway. */
const KEPT_MS = 10 * 60_000;

/** In the writer's own transaction: nobody can see the change without its entry. */
export async function noteChanges(
  now: Kysely<ReplicaTables>,
  replica: string,
  changes: readonly Change[],
): Promise<void> {
  await now
    .insertInto('changes')
    .values({ replica, changes: toJsonText(changes) })
    .execute();
}

export function createChangeLog(sql: Kysely<ReplicaTables>, replica: string): ChangeLog {
  return {
    prune: () => pruneChanges(sql),
    async newest() {
      const row = await sql
        .selectFrom('changes')
        .select(({ fn }) => fn.max('seq').as('seq'))
        .executeTakeFirst();
      return row?.seq ?? 0;
    },
    async after(seq) {
      const rows = await sql
        .selectFrom('changes')
        .select(['seq', 'replica', 'changes'])
        .where('seq', '>', seq)
        .orderBy('seq')
        .execute();
      return {
        entries: rows
          .filter((row) => row.replica !== replica)
          .map((row) => ({
            seq: row.seq,
            changes: fromJsonText(row.changes),
          })),
        newest: rows.at(-1)?.seq ?? seq,
      };
    },
  };
}

/** Drops what no replica needs any more. The newest entry stays: numbers are counted on from it. */
async function pruneChanges(now: Kysely<ReplicaTables>): Promise<void> {
  const keptFrom = raw<number>`extract(epoch from clock_timestamp()) * 1000 - ${KEPT_MS}::bigint`;
  await now
    .deleteFrom('changes')
    .where('at_ms', '<', keptFrom)
    .where('seq', '<', ({ selectFrom, fn }) => selectFrom('changes').select(fn.max('seq').as('seq')))
    .execute();
}
