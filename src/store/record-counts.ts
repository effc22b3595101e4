import { type CountedBy, countedValues, type RecordCountQuery, type RecordCounts } from '../audit/index.ts';
import { DAY_MS } from '../base/index.ts';
import { findCandidates, matchingLeaves, recordsAt, wantedTerms } from './record-candidates.ts';
import type { IndexSql } from './tables.ts';

/** Records that one page counts, at most: each is read, some 50 ms of work. */
const COUNTED_MAX = 2000;
/** Values of one answer, the most frequent ones. */
const VALUES_MAX = 1000;

/** Of the values of one answer in all, so that it goes through the line between processes whatever they hold. */
const CHARACTERS_MAX = 600_000;

/** Counts records by one of their values: from the sums of days where those answer it, else by reading them. */
export async function countRecords(sql: IndexSql, query: RecordCountQuery): Promise<RecordCounts> {
  const found = await (isOfSums(query) ? countFromSums(sql, query) : countByReading(sql, query));
  let characters = 0;
  const isWithin = ({ value }: RecordCounts['counts'][number]): boolean => {
    characters += value.length;
    return characters <= CHARACTERS_MAX;
  };
  return { ...found, counts: found.counts.filter(isWithin) };
}

/** Sums know whole days, of everything or of one term by day. */
function isOfSums({ by, sinceMs = 0, untilMs = 0, ...conditions }: RecordCountQuery): boolean {
  const isWhole = sinceMs % DAY_MS === 0 && untilMs % DAY_MS === 0;
  const terms = wantedTerms(conditions).length;
  return isWhole && conditions.beforeIndex === undefined && terms <= (by === 'day' ? 1 : 0);
}

async function countFromSums(sql: IndexSql, query: RecordCountQuery): Promise<RecordCounts> {
  const { by, sinceMs, untilMs, ...conditions } = query;
  const days = sql
    .selectFrom('term_days')
    .innerJoin('terms', 'terms.id', 'term_days.term')
    .$if(sinceMs !== undefined, (all) => all.where('day', '>=', (sinceMs ?? 0) / DAY_MS))
    .$if(untilMs !== undefined, (all) => all.where('day', '<', (untilMs ?? 0) / DAY_MS));
  if (by === 'day') {
    const [field, value] = wantedTerms(conditions)[0] ?? ['all', ''];
    const rows = await days
      .select(['day', 'term_days.count as count'])
      .where('field', '=', field)
      .where('value', '=', value)
      .orderBy('day', 'desc')
      .limit(VALUES_MAX)
      .execute();
    return { counts: rows.map(({ day, count }) => ({ value: printDay(day), count })) };
  }
  const rows = await days
    .select(({ fn }) => ['value', fn.sum<number>('term_days.count').as('count')])
    .where('field', '=', by)
    .groupBy('value')
    .orderBy('count', 'desc')
    .orderBy('value')
    .limit(VALUES_MAX)
    .execute();
  // A sum may come as text where a database's integers are wider than a number.
  return {
    counts: ownCounts(
      by,
      rows.map(({ value, count }) => ({ value, count: Number(count) })),
    ),
  };
}

/** A record has more terms of some fields than it is counted by: what belongs to the more exact one is taken off. */
function ownCounts(by: CountedBy, counts: RecordCounts['counts']): RecordCounts['counts'] {
  if (by === 'rule') return counts.filter(({ value }) => value.includes('/'));
  const narrowerOf = (value: string): RecordCounts['counts'] => {
    if (by === 'outcome')
      return value === 'refused' ? counts.filter((other) => other.value === 'limited') : [];
    if (by !== 'reason') return [];
    return counts.filter(
      (other) => other.value.slice(0, Math.max(0, other.value.lastIndexOf('.'))) === value,
    );
  };
  return counts
    .map(({ value, count }) => ({
      value,
      count: count - narrowerOf(value).reduce((sum, narrower) => sum + narrower.count, 0),
    }))
    .filter(({ count }) => count > 0);
}

function printDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

async function countByReading(sql: IndexSql, query: RecordCountQuery): Promise<RecordCounts> {
  const { by, beforeIndex, ...conditions } = query;
  const asked = { conditions, beforeIndex, countMax: COUNTED_MAX, limit: COUNTED_MAX, isCounted: true };
  const candidates = await findCandidates(sql, asked);
  if (!candidates) return { counts: [] };
  const records = await recordsAt(sql, await matchingLeaves(sql, candidates, asked));
  const countByValue = new Map<string, number>();
  for (const { record } of records) {
    for (const value of countedValues(record, by)) {
      countByValue.set(value, (countByValue.get(value) ?? 0) + 1);
    }
  }
  const { restFrom } = candidates;
  return {
    counts: [...countByValue].map(([value, count]) => ({ value, count })),
    ...(restFrom === undefined ? {} : { next: restFrom + 1 }),
  };
}
