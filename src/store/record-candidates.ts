import type { ExpressionBuilder } from 'kysely';
import {
  type AccessRecord,
  type IndexedRecord,
  type RecordConditions,
  type TermField,
  termsOf,
} from '../audit/index.ts';
import { fromJsonText, type JsonText } from './json-text.ts';
import { type Border, leavesBetween, type Span } from './record-spans.ts';
import type { IndexSql, IndexTables } from './tables.ts';

/** Which leaves are looked at for one answer: those of the rarest wanted term, or all, and only so many. */
export interface Candidates {
  readonly span: Span;
  /** Further terms that a record must have. */
  readonly others: readonly number[];
  readonly rarest: number | undefined;
  /** The work ended here, not the records: the leaf that the next page begins with. */
  readonly restFrom: number | undefined;
}

export interface CandidateQuery extends Border {
  readonly conditions: RecordConditions;
  readonly countMax: number;
  /** All candidates are read, not a page of them. */
  readonly isCounted?: boolean;
}

/** @returns `undefined` when no record can be what is wanted. */
export async function findCandidates(sql: IndexSql, query: CandidateQuery): Promise<Candidates | undefined> {
  const terms = await findTerms(sql, query.conditions);
  const span = terms && (await leavesBetween(sql, query.conditions, query));
  if (!span) return undefined;
  const [rarest, ...others] = terms;
  const restFrom = await findRest(sql, rarest, span, query);
  const { first, last } = span;
  const bounded = isAscending(query)
    ? { first, last: restFrom === undefined ? last : restFrom - 1 }
    : { first: restFrom === undefined ? first : restFrom + 1, last };
  return { span: bounded, rarest, others, restFrom };
}

/** The ids of the wanted terms, the rarest first; `undefined` when there is no record with one of them. */
async function findTerms(
  sql: IndexSql,
  conditions: RecordConditions,
): Promise<readonly number[] | undefined> {
  const wanted = wantedTerms(conditions);
  if (wanted.length === 0) return [];
  const found = await sql
    .selectFrom('terms')
    .select('id')
    .where((eb) => eb.or(wanted.map(([field, value]) => eb.and({ field, value }))))
    .orderBy('count')
    .execute();
  return found.length < wanted.length ? undefined : found.map(({ id }) => id);
}

/** What was asked for, by field. */
export function wantedTerms(conditions: RecordConditions): readonly (readonly [TermField, string])[] {
  const { user, action, repository, outcome, digest, address, reason, rule } = conditions;
  const all = { user, action, repository, outcome, digest, address, reason, rule };
  return Object.entries(all).flatMap(([field, value]) =>
    // The keys are those of the line above.
    value === undefined ? [] : [[field as TermField, value] as const],
  );
}

/** The first leaf that is too many. */
async function findRest(
  sql: IndexSql,
  rarest: number | undefined,
  { first, last }: Span,
  query: CandidateQuery,
): Promise<number | undefined> {
  const { sinceMs, untilMs } = query.conditions;
  // Every record is what is wanted: the page's limit is enough.
  if (rarest === undefined && sinceMs === undefined && untilMs === undefined && !query.isCounted)
    return undefined;
  const direction = isAscending(query) ? 'asc' : 'desc';
  const row =
    rarest === undefined
      ? await sql
          .selectFrom('records')
          .select('leaf')
          .where('leaf', '>=', first)
          .where('leaf', '<=', last)
          .orderBy('leaf', direction)
          .offset(query.countMax)
          .limit(1)
          .executeTakeFirst()
      : await sql
          .selectFrom('postings')
          .select('leaf')
          .where('term', '=', rarest)
          .where('leaf', '>=', first)
          .where('leaf', '<=', last)
          .orderBy('leaf', direction)
          .offset(query.countMax)
          .limit(1)
          .executeTakeFirst();
  return row?.leaf;
}

function isAscending({ afterIndex }: Border): boolean {
  return afterIndex !== undefined;
}

/** The leaves among the candidates that are what is wanted, in the order of the page. */
export async function matchingLeaves(
  sql: IndexSql,
  candidates: Candidates,
  query: CandidateQuery & { readonly limit: number },
): Promise<readonly number[]> {
  const { rarest, others, span } = candidates;
  const direction = isAscending(query) ? 'asc' : 'desc';
  const { sinceMs, untilMs } = query.conditions;
  if (rarest === undefined) {
    const rows = await sql
      .selectFrom('records')
      .select('leaf')
      .where('leaf', '>=', span.first)
      .where('leaf', '<=', span.last)
      .where((eb) => isWithin(eb, query.conditions))
      .orderBy('leaf', direction)
      .limit(query.limit)
      .execute();
    return rows.map(({ leaf }) => leaf);
  }
  let wanted = sql
    .selectFrom('postings as rarest')
    .select('rarest.leaf')
    .where('rarest.term', '=', rarest)
    .where('rarest.leaf', '>=', span.first)
    .where('rarest.leaf', '<=', span.last);
  for (const term of others) {
    wanted = wanted.where(({ exists, selectFrom }) =>
      exists(
        selectFrom('postings as other')
          .select('other.leaf')
          .where('other.term', '=', term)
          .whereRef('other.leaf', '=', 'rarest.leaf'),
      ),
    );
  }
  if (sinceMs !== undefined || untilMs !== undefined) {
    wanted = wanted.where(({ exists, selectFrom }) =>
      exists(
        selectFrom('records')
          .select('records.leaf')
          .whereRef('records.leaf', '=', 'rarest.leaf')
          .where((eb) => isWithin(eb, query.conditions)),
      ),
    );
  }
  const rows = await wanted.orderBy('rarest.leaf', direction).limit(query.limit).execute();
  return rows.map(({ leaf }) => leaf);
}

function isWithin(eb: ExpressionBuilder<IndexTables, 'records'>, { sinceMs, untilMs }: RecordConditions) {
  return eb.and([
    ...(sinceMs === undefined ? [] : [eb('records.time_ms', '>=', sinceMs)]),
    ...(untilMs === undefined ? [] : [eb('records.time_ms', '<', untilMs)]),
  ]);
}

/** Whether a record that was found another way is what is wanted. */
export function fulfils(record: AccessRecord, conditions: RecordConditions): boolean {
  const terms = termsOf(record);
  const { sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = conditions;
  const timeMs = Date.parse(record.time);
  return (
    wantedTerms(conditions).every(([field, value]) =>
      terms.some((term) => term.field === field && term.value === value),
    ) &&
    timeMs >= sinceMs &&
    timeMs < untilMs
  );
}

/**
 * The records of these leaves, in this order.
 *
 * @param charactersMax the last that are beyond so many in all are left out, the first never is.
 */
export async function recordsAt(
  sql: IndexSql,
  leaves: readonly number[],
  charactersMax = Number.POSITIVE_INFINITY,
): Promise<readonly IndexedRecord[]> {
  if (leaves.length === 0) return [];
  const rows = await sql
    .selectFrom('records')
    .select(['leaf', 'record'])
    .where('leaf', 'in', leaves)
    .execute();
  const recordByLeaf = new Map<number, JsonText<AccessRecord>>(
    rows.map(({ leaf, record }) => [leaf, record]),
  );
  const found: IndexedRecord[] = [];
  let characters = 0;
  for (const leaf of leaves) {
    const record = recordByLeaf.get(leaf);
    if (record === undefined) continue;
    characters += record.length;
    if (characters > charactersMax && found.length > 0) break;
    found.push({ index: leaf, record: fromJsonText(record) });
  }
  return found;
}
