import type { AccessRecord, RecordConditions } from '../audit/index.ts';
import { HOUR_MS } from '../base/index.ts';
import type { IndexSql } from './tables.ts';

/** Leaves from `first` up to and with `last`. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/** Where to go on from, exclusive. */
export interface Border {
  readonly beforeIndex?: number | undefined;
  readonly afterIndex?: number | undefined;
}

export function hourOf(timeMs: number): number {
  return Math.floor(timeMs / HOUR_MS);
}

/** The leaves between which every record of the wanted time lies; `undefined` when there is none. */
export async function leavesBetween(
  sql: IndexSql,
  { sinceMs, untilMs }: Pick<RecordConditions, 'sinceMs' | 'untilMs'>,
  { beforeIndex, afterIndex }: Border,
): Promise<Span | undefined> {
  let hours = sql
    .selectFrom('hours')
    .select(({ fn }) => [fn.min('first_leaf').as('first'), fn.max('last_leaf').as('last')]);
  if (sinceMs !== undefined) hours = hours.where('hour', '>=', hourOf(sinceMs));
  if (untilMs !== undefined) hours = hours.where('hour', '<=', hourOf(untilMs));
  const span = await hours.executeTakeFirst();
  // Without rows the functions give null, whatever their types say.
  if (!span || span.first === null || span.last === null) return undefined;
  const first = Math.max(span.first, (afterIndex ?? -1) + 1);
  const last = Math.min(span.last, (beforeIndex ?? Number.POSITIVE_INFINITY) - 1);
  return first > last ? undefined : { first, last };
}

/** A record whose time cannot be read stays findable by everything else. */
export function timeOf(record: AccessRecord): number {
  const timeMs = Date.parse(record.time);
  return Number.isNaN(timeMs) ? 0 : timeMs;
}
