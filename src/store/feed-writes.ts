import { setImmediate as others } from 'node:timers/promises';
import type { FeedName } from '../policy/index.ts';
import type { FeedContent, FeedEntries, FeedWrites } from '../verdicts/index.ts';
import { inChunks } from './rows.ts';
import type { MainSql, MainTables } from './tables.ts';
import type { Write } from './transactions.ts';

const TABLES = { epss: 'epss_scores', kev: 'kev_entries' } as const;
/** Rows that one transaction takes away: others have their turn after it. */
const SWEPT_ROWS = 2000;

/** Writes feeds in many short transactions, the last of which puts them in force: nobody waits for 300,000 rows. */
export function createFeedWrites(write: Write<MainTables>): FeedWrites {
  return {
    async replaceFeed(name, content, pieces) {
      // What a crash has left behind may have the number that comes next.
      await sweep(write, name);
      const generation = 1 + (await write((sql) => generationOf(sql, name)));
      try {
        let entries = 0;
        for (const piece of pieces) {
          await write((sql) => insertPiece(sql, name, generation, piece));
          entries += piece.length;
          // SQLite answers at once: without this nothing else of the process would have its turn before the end.
          await others();
        }
        await putInForce(write, name, { ...content, entries, generation });
      } finally {
        await sweep(write, name);
      }
    },
    confirmFeed: (name, asOfMs) =>
      write(async (sql, changed) => {
        const moved = await sql
          .updateTable('feeds')
          .set({ as_of_ms: asOfMs })
          .where('name', '=', name)
          .where('as_of_ms', '<', asOfMs)
          .executeTakeFirst();
        if (moved.numUpdatedRows > 0n) changed('policies');
      }),
    noteTry: (name, atMs, problem) =>
      write(async (sql) => {
        const values = { at_ms: atMs, problem: problem ?? null };
        await sql
          .insertInto('feed_tries')
          .values({ name, ...values })
          .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
          .execute();
      }),
  };
}

async function generationOf(sql: MainSql, name: FeedName): Promise<number> {
  const row = await sql.selectFrom('feeds').select('generation').where('name', '=', name).executeTakeFirst();
  return row?.generation ?? 0;
}

async function insertPiece(
  sql: MainSql,
  name: FeedName,
  generation: number,
  piece: FeedEntries[FeedName],
): Promise<void> {
  for (const chunk of inChunks<FeedEntries[FeedName][number]>(piece)) {
    const rows = chunk.map((one) =>
      'score' in one
        ? { generation, cve: one.cve, score: one.score, percentile: one.percentile }
        : { generation, cve: one.cve, added_at_ms: one.addedAtMs, due_at_ms: one.dueAtMs ?? null },
    );
    await sql.insertInto(TABLES[name]).values(rows).execute();
  }
}

/** What policies come to from now on, by the new content alone. */
function putInForce(
  write: Write<MainTables>,
  name: FeedName,
  content: FeedContent & { readonly generation: number },
): Promise<void> {
  const values = {
    generation: content.generation,
    revision: content.revision,
    source: content.source,
    entries: content.entries,
    etag: content.etag ?? null,
    last_modified: content.lastModified ?? null,
    made_at_ms: content.madeAtMs,
    as_of_ms: content.asOfMs,
  };
  return write(async (sql, changed) => {
    await sql
      .insertInto('feeds')
      .values({ name, ...values })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
      .execute();
    changed('policies');
  });
}

/** Takes away what belongs to no generation in force. */
async function sweep(write: Write<MainTables>, name: FeedName): Promise<void> {
  const table = TABLES[name];
  let swept = SWEPT_ROWS;
  while (swept === SWEPT_ROWS) {
    await others();
    swept = await write(async (sql) => {
      const old = await sql
        .selectFrom(table)
        .select(['generation', 'cve'])
        .where('generation', '!=', await generationOf(sql, name))
        .orderBy('generation')
        .limit(SWEPT_ROWS)
        .execute();
      for (const chunk of inChunks(old)) {
        const generations = [...new Set(chunk.map(({ generation }) => generation))];
        for (const generation of generations) {
          const cves = chunk.filter((one) => one.generation === generation).map(({ cve }) => cve);
          await sql.deleteFrom(table).where('generation', '=', generation).where('cve', 'in', cves).execute();
        }
      }
      return old.length;
    });
  }
}
