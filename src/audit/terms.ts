import type { AccessRecord } from './record.ts';

/** What a record is found and counted by. */
export type TermField =
  | 'user'
  | 'action'
  | 'outcome'
  | 'repository'
  | 'digest'
  | 'address'
  | 'reason'
  | 'rule';

export interface Term {
  readonly field: TermField;
  readonly value: string;
}

/** What records are counted by; `day` is a UTC day. */
export type CountedBy = TermField | 'day';

export const COUNTED_BY: readonly CountedBy[] = [
  'day',
  'user',
  'outcome',
  'action',
  'repository',
  'rule',
  'reason',
  'address',
  'digest',
];

/**
 * Everything that a record is found by. Reasons are dotted and found by their first parts, too: `policy` is every
 * rule of every policy. A rule is found by itself and with its policy's name. What was refused because there was too
 * much of it is `limited` beside `refused`.
 */
export function termsOf(record: AccessRecord): readonly Term[] {
  const rules = rulesOf(record);
  const terms: readonly (readonly [TermField, string | undefined])[] = [
    ['user', record.principal?.name],
    ['action', record.action],
    ['outcome', record.outcome],
    ['outcome', isLimited(record) ? 'limited' : undefined],
    ['repository', record.repository],
    ['digest', record.digest],
    ['address', record.client?.address],
    ...prefixesOf(record.reason).map((prefix) => ['reason', prefix] as const),
    ...rules.map((rule) => ['rule', rule] as const),
    ...rules.map((rule) => ['rule', rule.slice(rule.indexOf('/') + 1)] as const),
  ];
  const distinct = new Map<string, Term>();
  for (const [field, value] of terms) {
    if (value !== undefined) distinct.set(`${field} ${value}`, { field, value });
  }
  return [...distinct.values()];
}

/** By what a record is counted: each of its values once, and only those that say most. */
export function countedValues(record: AccessRecord, by: CountedBy): readonly string[] {
  const one = (value: string | undefined) => (value === undefined ? [] : [value]);
  switch (by) {
    case 'day':
      return [record.time.slice(0, 10)];
    case 'outcome':
      return [isLimited(record) ? 'limited' : record.outcome];
    case 'reason':
      return one(record.reason);
    case 'rule':
      return rulesOf(record);
    default:
      return termsOf(record).flatMap(({ field, value }) => (field === by ? [value] : []));
  }
}

/** Refused for there was too much: sign-ins above all, but whatever a limit says. */
function isLimited({ outcome, status, reason }: AccessRecord): boolean {
  return (
    outcome === 'refused' && (status === 429 || reason === 'limit' || reason?.startsWith('limit.') === true)
  );
}

function rulesOf({ verdict }: AccessRecord): readonly string[] {
  return [...new Set(verdict?.reasons.map(({ policy, rule }) => `${policy}/${rule}`))];
}

function prefixesOf(reason: string | undefined): readonly string[] {
  const parts = reason?.split('.') ?? [];
  return parts.map((_, at) => parts.slice(0, at + 1).join('.'));
}
