import type { AccessRecord } from './record.ts';

/** Which records are wanted; what is absent is not asked for. The same questions as of the search index. */
export interface RecordFilter {
  readonly user?: string | undefined;
  readonly action?: string | undefined;
  readonly repository?: string | undefined;
  readonly outcome?: string | undefined;
  readonly digest?: string | undefined;
  readonly address?: string | undefined;
  /** From this instant on, milliseconds since 1970. */
  readonly sinceMs?: number | undefined;
  /** Before this instant. */
  readonly untilMs?: number | undefined;
}

/** Whether a record is one of those that are wanted. */
export function matches(record: AccessRecord, filter: RecordFilter): boolean {
  const { user, action, repository, outcome, digest, address } = filter;
  return (
    isWanted(user, record.principal?.name) &&
    isWanted(action, record.action) &&
    isWanted(repository, record.repository) &&
    isWanted(outcome, record.outcome) &&
    isWanted(digest, record.digest) &&
    isWanted(address, record.client?.address) &&
    isWithin(record.time, filter)
  );
}

function isWanted(wanted: string | undefined, found: string | undefined): boolean {
  return wanted === undefined || wanted === found;
}

function isWithin(time: string, { sinceMs, untilMs }: RecordFilter): boolean {
  if (sinceMs === undefined && untilMs === undefined) return true;
  const timeMs = Date.parse(time);
  return timeMs >= (sinceMs ?? Number.NEGATIVE_INFINITY) && timeMs < (untilMs ?? Number.POSITIVE_INFINITY);
}
