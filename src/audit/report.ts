import { csvCell } from './csv.ts';
import type { AccessRecord } from './record.ts';
import { type RecordsOptions, readRecords } from './records.ts';
import { SignInWatch } from './sign-ins.ts';

/** What a report asks of the log. */
interface ReportKind {
  readonly title: string;
  /** How to ask for a part of it; for who types the command, not for who reads the report. */
  readonly hint?: string;
  /** Records are counted by these. */
  readonly columns: readonly (readonly [name: string, read: (record: AccessRecord) => string | undefined])[];
  readonly isCounted: (record: AccessRecord) => boolean;
}

const who = (record: AccessRecord) => record.principal?.name;
const rules = (record: AccessRecord) =>
  record.verdict?.reasons.map(({ policy, rule }) => `${policy}/${rule}`).join(' ');

/** One answer each; a completion tells of the same request once more, and the house's own words are no access. */
const isAnswer = ({ kind }: AccessRecord) => kind === 'decision' || kind === 'summary';

const KINDS = {
  refusals: {
    title: 'what was refused, by reason and rule',
    columns: [
      ['reason', ({ reason }) => reason],
      ['rules', rules],
      ['action', ({ action }) => action],
      ['repository', ({ repository }) => repository],
    ],
    isCounted: (record) => isAnswer(record) && record.outcome === 'refused',
  },
  principals: {
    title: 'what principals did',
    hint: 'one of them with --user',
    columns: [
      ['principal', who],
      ['action', ({ action }) => action],
      ['repository', ({ repository }) => repository],
      ['outcome', ({ outcome }) => outcome],
      ['reason', ({ reason }) => reason],
    ],
    isCounted: (record) => isAnswer(record) && record.principal !== undefined,
  },
  repositories: {
    title: 'who asked repositories for what',
    hint: 'one of them with --repository',
    columns: [
      ['repository', ({ repository }) => repository],
      ['principal', who],
      ['action', ({ action }) => action],
      ['outcome', ({ outcome }) => outcome],
      ['reference', ({ reference }) => reference],
    ],
    isCounted: (record) => isAnswer(record) && record.repository !== undefined,
  },
  changes: {
    title: 'what administration changed, allowed or not',
    columns: [
      ['principal', who],
      ['action', ({ action }) => action],
      ['outcome', ({ outcome }) => outcome],
      ['reason', ({ reason }) => reason],
    ],
    isCounted: (record) =>
      isAnswer(record) &&
      record.action.startsWith('admin.') &&
      record.method !== 'GET' &&
      record.method !== 'HEAD',
  },
  days: {
    title: 'how much of what, day by day (UTC)',
    columns: [
      ['day', ({ time }) => time.slice(0, 10)],
      ['action', ({ action }) => action],
      ['outcome', ({ outcome }) => outcome],
    ],
    isCounted: isAnswer,
  },
  'sign-ins': {
    title: 'sign-ins that are strange, each with its reason: new addresses, failures, hours',
    columns: [],
    isCounted: () => false,
  },
  exposed: {
    title: 'who pulled content that is bad',
    hint: '--finding CVE (asks the server what has it) or --digest',
    columns: [
      ['principal', who],
      ['repository', ({ repository }) => repository],
      ['digest', ({ digest }) => digest],
      ['address', ({ client }) => client?.address],
    ],
    isCounted: (record) => isAnswer(record) && record.action === 'pull' && record.outcome === 'allowed',
  },
} as const satisfies Readonly<Record<string, ReportKind>>;

export type ReportName = keyof typeof KINDS;

export const REPORT_NAMES: readonly ReportName[] = [
  'refusals',
  'principals',
  'repositories',
  'changes',
  'days',
  'sign-ins',
  'exposed',
];

export function reportTitle(name: ReportName): string {
  return KINDS[name].title;
}

/** The title, and how to ask for a part of it. */
export function reportHelp(name: ReportName): string {
  const { title, hint }: ReportKind = KINDS[name];
  return hint === undefined ? title : `${title}; ${hint}`;
}

export interface Report {
  readonly name: ReportName;
  readonly columns: readonly string[];
  /** As many texts as columns before the count; most frequent first, of days the earliest first. */
  readonly rows: readonly ReportRow[];
  /** Groups that found no place: the log had more different ones than a report holds. */
  readonly isCut: boolean;
}

export interface ReportRow {
  readonly values: readonly string[];
  readonly count: number;
  /** Times of the first and the last record counted. */
  readonly first: string;
  readonly last: string;
}

/** More is no report for people, and memory must have an end; `audit export` has everything. */
const ROWS_MAX = 100_000;

export interface ReportOptions extends RecordsOptions {
  /** Of `exposed`: what counts as bad. */
  readonly digests?: ReadonlySet<string>;
}

/** Counts the records of the log that were asked for. @throws {NoProof} as `readRecords`. */
export async function makeReport(name: ReportName, options: ReportOptions): Promise<Report> {
  if (name === 'sign-ins') return reportSignIns(options);
  const kind: ReportKind = KINDS[name];
  const { digests } = options;
  const rows = new Map<string, ReportRow>();
  let isCut = false;
  for await (const entries of readRecords(options)) {
    for (const { record } of entries.filter(
      (entry) => kind.isCounted(entry.record) && isOneOf(digests, entry.record),
    )) {
      const values = kind.columns.map(([, read]) => read(record) ?? '');
      const key = JSON.stringify(values);
      const known = rows.get(key);
      if (known === undefined && rows.size >= ROWS_MAX) isCut = true;
      else rows.set(key, countIn(known, values, record));
    }
  }
  const sorted = [...rows.values()].sort(name === 'days' ? byValues : byCount);
  return { name, columns: kind.columns.map(([column]) => column), rows: sorted, isCut };
}

/** The anomalies of one principal, address and reason are one row. */
async function reportSignIns(options: RecordsOptions): Promise<Report> {
  const watch = new SignInWatch();
  const rows = new Map<string, ReportRow>();
  let isCut = false;
  for await (const entries of readRecords(options)) {
    for (const { record } of entries) {
      for (const { rule, principal, address, why } of watch.look(record)) {
        const values = [rule, principal, address, why];
        const key = JSON.stringify(values);
        const known = rows.get(key);
        if (known === undefined && rows.size >= ROWS_MAX) isCut = true;
        else rows.set(key, countIn(known, values, record));
      }
    }
  }
  const columns = ['rule', 'principal', 'address', 'why'];
  return { name: 'sign-ins', columns, rows: [...rows.values()].sort(byTime), isCut };
}

function isOneOf(digests: ReadonlySet<string> | undefined, { digest = '' }: AccessRecord): boolean {
  return digests === undefined || digests.has(digest);
}

function byTime(a: ReportRow, b: ReportRow): number {
  if (a.first === b.first) return byValues(a, b);
  return a.first < b.first ? -1 : 1;
}

function countIn(known: ReportRow | undefined, values: readonly string[], record: AccessRecord): ReportRow {
  const { time } = record;
  // A summary stands for as many requests as it says.
  const count = (known?.count ?? 0) + (record.kind === 'summary' ? (record.count ?? 1) : 1);
  // Writers of a node are not in order with each other.
  const first = known === undefined || time < known.first ? time : known.first;
  const last = known === undefined || time > known.last ? time : known.last;
  return { values, count, first, last };
}

function byCount(a: ReportRow, b: ReportRow): number {
  return b.count - a.count || byValues(a, b);
}

function byValues(a: ReportRow, b: ReportRow): number {
  const [left, right] = [a.values.join('\0'), b.values.join('\0')];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** RFC 4180 with a heading, safe in spreadsheets as every CSV of the log (threat A-03). */
export function reportCsv({ columns, rows }: Report): string {
  const lines = [
    [...columns, 'count', 'first', 'last'],
    ...rows.map(({ values, count, first, last }) => [...values, count, first, last]),
  ];
  return lines.map((cells) => `${cells.map(csvCell).join(',')}\r\n`).join('');
}
