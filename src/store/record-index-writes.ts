import { type AccessRecord, type IndexedRecord, type RecordIndexWrites, termsOf } from '../audit/index.ts';
import { DAY_MS } from '../base/index.ts';
import { insertMany } from './insert-many.ts';
import { fromJsonText, type JsonText, toJsonText } from './json-text.ts';
import { noteUses } from './last-uses.ts';
import { nextIndex } from './record-index.ts';
import { hourOf, timeOf } from './record-spans.ts';
import { inChunks } from './rows.ts';
import type { IndexSql, IndexTables } from './tables.ts';
import type { Write } from './transactions.ts';

export function createRecordIndexWrites(write: Write<IndexTables>): RecordIndexWrites {
  const inserts = createInserts();
  return {
    nextIndex: () => write(nextIndex),
    append: (records) =>
      write(async (sql) => {
        if (records.length > 0) await append(sql, records, inserts);
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

interface RecordRow {
  readonly leaf: number;
  readonly time_ms: number;
  readonly request_id: string;
  readonly record: JsonText<AccessRecord>;
}

interface Posting {
  readonly term: number;
  readonly leaf: number;
}

/** Of one database: how a statement is put together hangs on its kind. */
interface Inserts {
  readonly records: (sql: IndexSql, rows: readonly RecordRow[]) => Promise<void>;
  readonly postings: (sql: IndexSql, rows: readonly Posting[]) => Promise<void>;
}

function createInserts(): Inserts {
  return {
    records: insertMany((sql: IndexSql, rows) => sql.insertInto('records').values(rows)),
    postings: insertMany((sql: IndexSql, rows) => sql.insertInto('postings').values(rows)),
  };
}

/** A record that is there already is written again: the log is the truth, the index follows it. */
async function append(sql: IndexSql, records: readonly IndexedRecord[], inserts: Inserts): Promise<void> {
  const rows = records.map(({ index, record }) => ({
    leaf: index,
    time_ms: timeOf(record),
    request_id: record.requestId,
    record: toJsonText(record),
  }));
  await forget(
    sql,
    rows.map(({ leaf }) => leaf),
  );
  await inserts.records(sql, rows);
  await inserts.postings(sql, postingsOf(await countTerms(sql, records, 1)));
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

/** Removes those of these leaves that are there, which is none unless an index is filled twice. */
async function forget(sql: IndexSql, leaves: readonly number[]): Promise<void> {
  const between = await sql
    .selectFrom('records')
    .select('leaf')
    .where('leaf', '>=', Math.min(...leaves))
    .where('leaf', '<=', Math.max(...leaves))
    .execute();
  if (between.length === 0) return;
  for (const chunk of inChunks(leaves)) await remove(sql, chunk);
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
  for (const { term, leaves: gone } of await countTerms(sql, records, -1)) {
    await sql.deleteFrom('postings').where('term', '=', term).where('leaf', 'in', gone).execute();
  }
  await sql.deleteFrom('term_days').where('count', '<=', 0).execute();
  await sql.deleteFrom('terms').where('count', '<=', 0).execute();
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

type Term = Gain & { readonly term: number };

/** Adds what these records have of each term. @returns those terms. */
async function countTerms(
  sql: IndexSql,
  records: readonly IndexedRecord[],
  sign: 1 | -1,
): Promise<readonly Term[]> {
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
  return known;
}

/** `all` counts days and has no postings: the records themselves are those. */
function postingsOf(terms: readonly Term[]): readonly Posting[] {
  return terms
    .filter(({ field }) => field !== 'all')
    .flatMap(({ term, leaves }) => leaves.map((leaf) => ({ term, leaf })));
}

async function countDays(sql: IndexSql, known: readonly Term[], sign: 1 | -1): Promise<void> {
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
