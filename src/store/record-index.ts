import type { ExpressionBuilder } from 'kysely';
import type {
  AccessRecord,
  IndexedRecord,
  RecordIndexReads,
  RecordIndexWrites,
  RecordQuery,
} from '../audit/index.ts';
import { HOUR_MS } from '../base/index.ts';
import { fromJsonText, toJsonText } from './json-text.ts';
import { clampLimit, inChunks } from './rows.ts';
import type { IndexSql, IndexTables } from './tables.ts';
import { snapshot, type Write } from './transactions.ts';

export function createRecordIndexReads(sql: IndexSql): RecordIndexReads {
  return {
    search: (query) => snapshot(sql, (now) => search(now, query)),
    async lastUses() {
      const rows = await sql.selectFrom('last_uses').selectAll().execute();
      return rows.map((row) => ({
        principalId: row.principal_id,
        action: row.action,
        repository: row.repository,
        atMs: row.at_ms,
      }));
    },
  };
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
        await sql.deleteFrom('hours').execute();
        await sql.deleteFrom('last_uses').execute();
      }),
  };
}

async function search(sql: IndexSql, query: RecordQuery): Promise<readonly IndexedRecord[]> {
  const span = await leavesBetween(sql, query);
  if (!span) return [];
  const rows = await sql
    .selectFrom('records')
    .select(['leaf', 'record'])
    .where('leaf', '>=', span.first)
    .where('leaf', '<=', span.last)
    .where(({ and, eb }) =>
      and([
        ...wantedTexts(query).map(([column, text]) => eb(column, '=', text)),
        ...(query.reason === undefined ? [] : [withReason(eb, query.reason)]),
        ...(query.sinceMs === undefined ? [] : [eb('time_ms', '>=', query.sinceMs)]),
        ...(query.untilMs === undefined ? [] : [eb('time_ms', '<', query.untilMs)]),
      ]),
    )
    .orderBy('leaf', 'desc')
    .limit(clampLimit(query.limit))
    .execute();
  return rows.map((row) => ({ index: row.leaf, record: fromJsonText(row.record) }));
}

/** Reasons are dotted: `policy` finds `policy.secrets`, too. A slash is the character after the dot. */
function withReason(eb: ExpressionBuilder<IndexTables, 'records'>, reason: string) {
  const below = eb.and([eb('reason', '>=', `${reason}.`), eb('reason', '<', `${reason}/`)]);
  return eb.or([eb('reason', '=', reason), below]);
}

type TextColumn = 'principal' | 'action' | 'repository' | 'outcome' | 'digest' | 'address' | 'request_id';

/** What was asked for, by column. An empty text was asked for, too. */
function wantedTexts(query: RecordQuery): readonly (readonly [TextColumn, string])[] {
  const all: readonly (readonly [TextColumn, string | undefined])[] = [
    ['principal', query.user],
    ['action', query.action],
    ['repository', query.repository],
    ['outcome', query.outcome],
    ['digest', query.digest],
    ['address', query.address],
    ['request_id', query.requestId],
  ];
  return all.flatMap(([column, text]) => (text === undefined ? [] : [[column, text] as const]));
}

/** The leaves between which every record of the wanted time lies; `undefined` when there is none. */
async function leavesBetween(
  sql: IndexSql,
  query: RecordQuery,
): Promise<{ readonly first: number; readonly last: number } | undefined> {
  let hours = sql
    .selectFrom('hours')
    .select(({ fn }) => [fn.min('first_leaf').as('first'), fn.max('last_leaf').as('last')]);
  if (query.sinceMs !== undefined) hours = hours.where('hour', '>=', hourOf(query.sinceMs));
  if (query.untilMs !== undefined) hours = hours.where('hour', '<=', hourOf(query.untilMs));
  const span = await hours.executeTakeFirst();
  // Without rows the functions give null, whatever their types say.
  if (!span || span.first === null || span.last === null) return undefined;
  const before = query.beforeIndex ?? Number.POSITIVE_INFINITY;
  return { first: span.first, last: Math.min(span.last, before - 1) };
}

function hourOf(timeMs: number): number {
  return Math.floor(timeMs / HOUR_MS);
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
  const rows = records.map(({ index, record }) => ({
    leaf: index,
    time_ms: timeOf(record),
    principal: record.principal?.name ?? null,
    action: record.action,
    outcome: record.outcome,
    repository: record.repository ?? null,
    digest: record.digest ?? null,
    address: record.client?.address ?? null,
    record: toJsonText(record),
  }));
  const leaves = rows.map(({ leaf }) => leaf);
  await sql.deleteFrom('records').where('leaf', 'in', leaves).execute();
  await sql.insertInto('records').values(rows).execute();
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

/** The records of one call that were allowed, as one row for each principal, action and repository. */
async function noteUses(sql: IndexSql, records: readonly AccessRecord[]): Promise<void> {
  const uses = new Map<string, { principal_id: string; action: string; repository: string; at_ms: number }>();
  for (const record of records) {
    const { principal, action, repository = '', outcome } = record;
    if (outcome !== 'allowed' || principal === undefined || principal.id === '') continue;
    const key = JSON.stringify([principal.id, action, repository]);
    const at_ms = Math.max(timeOf(record), uses.get(key)?.at_ms ?? 0);
    uses.set(key, { principal_id: principal.id, action, repository, at_ms });
  }
  if (uses.size === 0) return;
  await sql
    .insertInto('last_uses')
    .values([...uses.values()])
    .onConflict((conflict) =>
      conflict
        .columns(['principal_id', 'action', 'repository'])
        .doUpdateSet({ at_ms: (eb) => eb.ref('excluded.at_ms') })
        .whereRef('excluded.at_ms', '>', 'last_uses.at_ms'),
    )
    .execute();
}

/** A record whose time cannot be read stays findable by everything else. */
function timeOf(record: AccessRecord): number {
  const timeMs = Date.parse(record.time);
  return Number.isNaN(timeMs) ? 0 : timeMs;
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
