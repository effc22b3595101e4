import type { IndexedRecord, RecordIndexReads, RecordIndexWrites, RecordQuery } from '../audit/index.ts';
import { fromJsonText, toJsonText } from './json-text.ts';
import { clampLimit, inChunks } from './rows.ts';
import type { IndexSql, IndexTables } from './tables.ts';
import type { Write } from './transactions.ts';

export function createRecordIndexReads(sql: IndexSql): RecordIndexReads {
  return { search: (query) => search(sql, query) };
}

export function createRecordIndexWrites(write: Write<IndexTables>): RecordIndexWrites {
  return {
    nextIndex: () => write(nextIndex),
    append: (records) =>
      write(async (sql) => {
        for (const chunk of inChunks(records)) await append(sql, chunk);
      }),
    clear: () =>
      write(async (sql) => {
        await sql.deleteFrom('records').execute();
      }),
  };
}

async function search(sql: IndexSql, query: RecordQuery): Promise<readonly IndexedRecord[]> {
  const wanted = {
    principal: query.user,
    action: query.action,
    repository: query.repository,
    outcome: query.outcome,
    digest: query.digest,
    address: query.address,
  } as const;
  const rows = await sql
    .selectFrom('records')
    .select(['leaf', 'record'])
    .where(({ and, eb }) =>
      and([
        // A condition that was not asked for vanishes; an empty text is a condition.
        ...entriesOf(wanted).map(([column, value]) => eb(column, '=', value)),
        ...(query.sinceMs === undefined ? [] : [eb('time_ms', '>=', query.sinceMs)]),
        ...(query.untilMs === undefined ? [] : [eb('time_ms', '<', query.untilMs)]),
        ...(query.beforeIndex === undefined ? [] : [eb('leaf', '<', query.beforeIndex)]),
      ]),
    )
    .orderBy('leaf', 'desc')
    .limit(clampLimit(query.limit))
    .execute();
  return rows.map((row) => ({ index: row.leaf, record: fromJsonText(row.record) }));
}

type TextColumn = 'principal' | 'action' | 'repository' | 'outcome' | 'digest' | 'address';

function entriesOf(wanted: { readonly [column in TextColumn]: string | undefined }) {
  const columns: readonly TextColumn[] = [
    'principal',
    'action',
    'repository',
    'outcome',
    'digest',
    'address',
  ];
  return columns.flatMap((column): readonly (readonly [TextColumn, string])[] => {
    const value = wanted[column];
    return value === undefined ? [] : [[column, value]];
  });
}

async function nextIndex(sql: IndexSql): Promise<number> {
  const row = await sql
    .selectFrom('records')
    .select('leaf')
    .orderBy('leaf', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row ? row.leaf + 1 : 0;
}

/** A record that is there already is written again: the log is the truth, the index follows it. */
async function append(sql: IndexSql, records: readonly IndexedRecord[]): Promise<void> {
  await sql
    .insertInto('records')
    .values(
      records.map(({ index, record }) => ({
        leaf: index,
        time_ms: Math.trunc(Date.parse(record.time)),
        principal: record.principal?.name ?? null,
        action: record.action,
        outcome: record.outcome,
        repository: record.repository ?? null,
        digest: record.digest ?? null,
        address: record.client?.address ?? null,
        record: toJsonText(record),
      })),
    )
    .onConflict((conflict) =>
      conflict.column('leaf').doUpdateSet((row) => ({
        time_ms: row.ref('excluded.time_ms'),
        principal: row.ref('excluded.principal'),
        action: row.ref('excluded.action'),
        outcome: row.ref('excluded.outcome'),
        repository: row.ref('excluded.repository'),
        digest: row.ref('excluded.digest'),
        address: row.ref('excluded.address'),
        record: row.ref('excluded.record'),
      })),
    )
    .execute();
}
