import type { RecordIndexReads, RecordIndexState, RecordPage, RecordQuery } from '../audit/index.ts';
import { findLastUses } from './last-uses.ts';
import { findCandidates, fulfils, matchingLeaves, recordsAt } from './record-candidates.ts';
import { countRecords } from './record-counts.ts';
import { clampLimit } from './rows.ts';
import type { IndexSql } from './tables.ts';
import { snapshot } from './transactions.ts';

/** Records that one page looks at, at most: some 20 ms of work. */
const CANDIDATES_MAX = 10_000;
/** Of all records of one page, so that it goes through the line between processes (8 MiB of UTF-8) whatever they hold. */
const PAGE_CHARACTERS_MAX = 2_000_000;

export function createRecordIndexReads(sql: IndexSql): RecordIndexReads {
  return {
    search: (query) => snapshot(sql, (now) => search(now, query)),
    count: (query) => snapshot(sql, (now) => countRecords(now, query)),
    state: () => snapshot(sql, stateOf),
    lastUses: () => findLastUses(sql),
  };
}

async function search(sql: IndexSql, query: RecordQuery): Promise<RecordPage> {
  const limit = clampLimit(query.limit);
  if (limit === 0) return { records: [] };
  if (query.requestId !== undefined) return searchRequest(sql, query, limit);
  const { beforeIndex, afterIndex, ...conditions } = query;
  const asked = { conditions, beforeIndex, afterIndex, countMax: CANDIDATES_MAX, limit };
  const candidates = await findCandidates(sql, asked);
  if (!candidates) return afterIndex === undefined ? { records: [] } : endOf(sql, [], afterIndex);
  const leaves = await matchingLeaves(sql, candidates, asked);
  const records = await recordsAt(sql, leaves, PAGE_CHARACTERS_MAX);
  const last = records.at(-1)?.index;
  const isFull = records.length === limit || records.length < leaves.length;
  if (isFull && last !== undefined) return { records, next: last };
  const { restFrom } = candidates;
  if (afterIndex === undefined) {
    return { records, ...(restFrom === undefined ? {} : { next: restFrom + 1 }) };
  }
  return restFrom === undefined ? endOf(sql, records, afterIndex) : { records, next: restFrom - 1 };
}

/** A page of newer records that reached the newest: the next one begins after that, never before this one did. */
async function endOf(sql: IndexSql, records: RecordPage['records'], afterIndex: number): Promise<RecordPage> {
  return { records, next: Math.max(afterIndex, (await nextIndex(sql)) - 1) };
}

/** A request has a handful of records: they are looked at themselves. */
async function searchRequest(sql: IndexSql, query: RecordQuery, limit: number): Promise<RecordPage> {
  const { requestId = '', beforeIndex, afterIndex, ...conditions } = query;
  const rows = await sql
    .selectFrom('records')
    .select('leaf')
    .where('request_id', '=', requestId)
    .where('leaf', '<', beforeIndex ?? Number.MAX_SAFE_INTEGER)
    .where('leaf', '>', afterIndex ?? -1)
    .orderBy('leaf', afterIndex === undefined ? 'desc' : 'asc')
    .limit(limit)
    .execute();
  const found = await recordsAt(
    sql,
    rows.map(({ leaf }) => leaf),
    PAGE_CHARACTERS_MAX,
  );
  const records = found.filter(({ record }) => fulfils(record, conditions));
  const last = found.at(-1)?.index;
  const isFull = rows.length === limit || found.length < rows.length;
  if (isFull && last !== undefined) return { records, next: last };
  return afterIndex === undefined ? { records } : endOf(sql, records, afterIndex);
}

async function stateOf(sql: IndexSql): Promise<RecordIndexState> {
  const newest = await sql
    .selectFrom('records')
    .select(['leaf', 'time_ms'])
    .orderBy('leaf', 'desc')
    .limit(1)
    .executeTakeFirst();
  return newest ? { nextIndex: newest.leaf + 1, newestMs: newest.time_ms } : { nextIndex: 0 };
}

export async function nextIndex(sql: IndexSql): Promise<number> {
  return (await stateOf(sql)).nextIndex;
}
