import { type AccessRecord, type IndexedRecord, type RecordIndexWrites, termsOf } from '../audit/index.ts';
import { DAY_MS } from '../base/index.ts';
import { fromJsonText, toJsonText } from './json-text.ts';
import { noteUses } from './last-uses.ts';
import { nextIndex } from './record-index.ts';
import { hourOf, timeOf } from './record-spans.ts';
import { inChunks } from './rows.ts';
import type { IndexSql, IndexTables } from './tables.ts';
import type { Write } from './transactions.ts';

export function createRecordIndexWrites(write: Write<IndexTables>): RecordIndexWrites {
  return {
    nextIndex: () => write(nextIndex),
    append: (records) =>
      write(async (sql) => {
        for (const chunk of inChunks(records)) await append(sql, chunk);
      }),
    removeBelow: (index, countMax) =>
      write(async (sql) => {
        const oldest = await sql
          .selectFrom('records')
          .select('leaf')
          .where('leaf', '<', index)
          .orderBy('leaf')
          .limit(countMax)
          .execute();
        for (const chunk of inChunks(oldest.map(({ leaf }) => leaf))) await remove(sql, chunk);
        return oldest.length;
      }),
    clear: () =>
      write(async (sql) => {
        for (const table of ['records', 'hours', 'terms', 'postings', 'term_days', 'last_uses'] as const) {
          await sql.deleteFrom(table).execute();
        }
      }),
  };
}

/** A record that is there already is written again: the log is the truth, the index follows it. */
async function append(sql: IndexSql, records: readonly IndexedRecord[]): Promise<void> {
  const rows = records.map(({ index, record }) => ({
    leaf: index,
    time_ms: timeOf(record),
    request_id: record.requestId,
    record: toJsonText(record),
  }));
  await remove(
    sql,
    rows.map(({ leaf }) => leaf),
  );
  await sql.insertInto('records').values(rows).execute();
  await countTerms(sql, records, 1);
  await noteUses(
    sql,
    records.map(({ record }) => record),
  );
  for (const [hour, within] of Map.groupBy(rows, (row) => hourOf(row.time_ms))) {
    await widenHour(
      sql,
      hour,
      within.map(({ leaf }) => leaf),
    );
  }
}

/** Takes these leaves out of everything that counts them. */
async function remove(sql: IndexSql, leaves: readonly number[]): Promise<void> {
  const known = await sql
    .selectFrom('records')
    .select(['leaf', 'record'])
    .where('leaf', 'in', leaves)
    .execute();
  if (known.length === 0) return;
  const records = known.map(({ leaf, record }) => ({ index: leaf, record: fromJsonText(record) }));
  await countTerms(sql, records, -1);
  await sql
    .deleteFrom('records')
    .where(
      'leaf',
      'in',
      known.map(({ leaf }) => leaf),
    )
    .execute();
}

/** What one term gains or loses. */
interface Gain {
  readonly field: string;
  readonly value: string;
  readonly leaves: number[];
  readonly countByDay: Map<number, number>;
}

async function countTerms(sql: IndexSql, records: readonly IndexedRecord[], sign: 1 | -1): Promise<void> {
  const gains = gainsOf(records);
  const ids = new Map<string, number>();
  for (const chunk of inChunks(gains)) {
    const rows = await sql
      .insertInto('terms')
      .values(chunk.map(({ field, value, leaves }) => ({ field, value, count: sign * leaves.length })))
      .onConflict((conflict) =>
        conflict
          .columns(['field', 'value'])
          .doUpdateSet(({ eb, ref }) => ({ count: eb(ref('terms.count'), '+', ref('excluded.count')) })),
      )
      .returning(['id', 'field', 'value'])
      .execute();
    for (const { id, field, value } of rows) ids.set(keyOf(field, value), id);
  }
  const known = gains.map((gain) => ({ ...gain, term: ids.get(keyOf(gain.field, gain.value)) ?? 0 }));
  await countDays(sql, known, sign);
  // `all` counts days and has no postings: the records themselves are those.
  const postings = known
    .filter(({ field }) => field !== 'all')
    .flatMap(({ term, leaves }) => leaves.map((leaf) => ({ term, leaf })));
  if (sign === 1) {
    for (const chunk of inChunks(postings)) await sql.insertInto('postings').values(chunk).execute();
    return;
  }
  for (const { term, leaves } of known) {
    await sql.deleteFrom('postings').where('term', '=', term).where('leaf', 'in', leaves).execute();
  }
  await sql.deleteFrom('term_days').where('count', '<=', 0).execute();
  await sql.deleteFrom('terms').where('count', '<=', 0).execute();
}

async function countDays(
  sql: IndexSql,
  known: readonly (Gain & { readonly term: number })[],
  sign: 1 | -1,
): Promise<void> {
  const days = known.flatMap(({ term, countByDay }) =>
    [...countByDay].map(([day, count]) => ({ term, day, count: sign * count })),
  );
  for (const chunk of inChunks(days)) {
    await sql
      .insertInto('term_days')
      .values(chunk)
      .onConflict((conflict) =>
        conflict
          .columns(['term', 'day'])
          .doUpdateSet(({ eb, ref }) => ({ count: eb(ref('term_days.count'), '+', ref('excluded.count')) })),
      )
      .execute();
  }
}

function gainsOf(records: readonly IndexedRecord[]): readonly Gain[] {
  const gains = new Map<string, Gain>();
  for (const { index, record } of records) {
    const day = Math.floor(timeOf(record) / DAY_MS);
    for (const { field, value } of withAll(record)) {
      const key = keyOf(field, value);
      const gain: Gain = gains.get(key) ?? { field, value, leaves: [], countByDay: new Map() };
      gains.set(key, gain);
      gain.leaves.push(index);
      gain.countByDay.set(day, (gain.countByDay.get(day) ?? 0) + 1);
    }
  }
  return [...gains.values()];
}

function withAll(record: AccessRecord): readonly { readonly field: string; readonly value: string }[] {
  return [{ field: 'all', value: '' }, ...termsOf(record)];
}

/** No field has a space in it. */
function keyOf(field: string, value: string): string {
  return `${field} ${value}`;
}

async function widenHour(sql: IndexSql, hour: number, leaves: readonly number[]): Promise<void> {
  const known = await sql.selectFrom('hours').selectAll().where('hour', '=', hour).executeTakeFirst();
  const values = {
    first_leaf: Math.min(...leaves, known?.first_leaf ?? Number.POSITIVE_INFINITY),
    last_leaf: Math.max(...leaves, known?.last_leaf ?? 0),
  };
  await sql
    .insertInto('hours')
    .values({ hour, ...values })
    .onConflict((conflict) => conflict.column('hour').doUpdateSet(values))
    .execute();
}
