import type { Command } from 'commander';
import { COUNTED_BY, type CountedBy } from '../../audit/index.ts';
import { asRecord, type Client, listIn, UsageError } from '../client.ts';
import { table } from '../output.ts';
import { type Invocation, type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';
import { follow } from './audit-follow.ts';
import { instantOf } from './audit-place.ts';

/** Options that choose records of the search index. */
export interface SearchConditions {
  readonly user?: string;
  readonly action?: string;
  readonly repository?: string;
  readonly outcome?: string;
  readonly digest?: string;
  readonly address?: string;
  readonly reason?: string;
  readonly rule?: string;
  readonly decision?: string;
  readonly since?: string;
  readonly until?: string;
}

interface SearchOptions extends SearchConditions {
  readonly limit: string;
  readonly cursor?: string;
  readonly by?: string;
  readonly facets?: boolean;
  readonly follow?: boolean;
}

/** What `--facets` shows, and how much of each. */
const FACETS: readonly CountedBy[] = ['outcome', 'action', 'user', 'repository', 'reason', 'rule', 'address'];
const FACET_VALUES_MAX = 10;

/** `audit search`. */
export function addSearchCommand(audit: Command, context: CommandContext): void {
  audit
    .command('search')
    .description('access records, newest first; counts of them; new ones as they come')
    .option('--user <name>', 'who')
    .option(
      '--action <action>',
      'what: pull, push, delete, list, catalog, sign-in, token, admin.grant.add ...',
    )
    .option('--repository <repository>', 'where')
    .option('--outcome <outcome>', 'allowed, refused, or limited: refused as too much')
    .option('--digest <digest>', 'which content')
    .option('--address <address>', 'from where')
    .option('--reason <reason>', 'why, or the first part of it: policy, policy.secrets, grant, limit')
    .option('--rule <rule>', 'which rule of a policy: secrets, or default/secrets')
    .option('--decision <id>', 'the decision that a refusal ends with')
    .option('--since <time>', 'from then on: a duration back (2h, 7d) or a UTC instant')
    .option('--until <time>', 'before then, the same way')
    .option('--limit <count>', 'at most so many (1 to 1000)', '50')
    .option('--cursor <cursor>', 'the next page: what the page before ended with')
    .option('--by <what>', `count them by ${COUNTED_BY.join(', ')}`)
    .option('--facets', 'count them by everything, the most frequent values')
    .option('--follow', 'go on with new ones as they come, also after a restart of the server')
    .addHelpText(
      'after',
      '\nA decision is written before its answer leaves; the completion that follows a transfer says how it ended.' +
        '\n\nExamples:\n  dockgate audit search --outcome refused --reason policy --since 24h' +
        '\n  dockgate audit search --user alice --action pull --repository team/app --json' +
        '\n  dockgate audit search --repository team/app --by day' +
        '\n  dockgate audit search --outcome limited --follow',
    )
    .action((options: SearchOptions, command: Command) => {
      refuseMixed(options);
      if (options.follow) return follow(conditionsOf(options), options.limit, command, context);
      return withSession(command, context, (invocation) => answer(invocation, options));
    });
}

/** @throws {UsageError} of these only one makes sense at once. */
function refuseMixed({ by, facets, follow: follows, cursor, decision }: SearchOptions): void {
  const given = Object.entries({ '--by': by, '--facets': facets, '--follow': follows, '--cursor': cursor });
  const names = given.filter(([, value]) => value !== undefined).map(([name]) => name);
  if (names.length > 1) throw new UsageError(`${names.join(' and ')}: one at a time`);
  if (decision !== undefined && names.length === 1 && cursor === undefined) {
    throw new UsageError(`--decision with ${names[0]}: a decision has a handful of records, search for them`);
  }
  if (by !== undefined && !COUNTED_BY.some((known) => known === by)) {
    throw new UsageError(`--by ${by}: one of ${COUNTED_BY.join(', ')}`);
  }
}

function answer(invocation: Invocation, options: SearchOptions): Promise<Printed> {
  if (options.by !== undefined) return countBy(invocation, options.by, options);
  if (options.facets) return countFacets(invocation, options);
  return search(invocation, options);
}

/** As the API takes them. */
function conditionsOf(options: SearchConditions): Readonly<Record<string, string | undefined>> {
  const { user, action, repository, outcome, digest, address, reason, rule, decision, since, until } =
    options;
  return {
    ...{ user, action, repository, outcome, digest, address, reason, rule, requestId: decision },
    since: isoOf('--since', since),
    until: isoOf('--until', until),
  };
}

async function search({ client, output }: Invocation, options: SearchOptions): Promise<Printed> {
  const records: Record<string, unknown>[] = [];
  const limit = Number(options.limit);
  let next: unknown = options.cursor;
  do {
    const page = await client.get('/audit/records', {
      ...conditionsOf(options),
      limit: records.length === 0 ? options.limit : String(limit - records.length),
      before: next === undefined ? undefined : String(next),
    });
    records.push(...listIn(page, 'records'));
    next = page.next;
    // What is rare takes several pages to find: each looks at so many records only.
  } while (next !== undefined && records.length < limit);
  if (next !== undefined) output.note(`there are more: --cursor ${next}`);
  const value = { records, ...(next === undefined ? {} : { next }) };
  return { value, text: table(HEADINGS, records.map(rowOf)) };
}

const HEADINGS = ['#', 'TIME', 'KIND', 'OUTCOME', 'STATUS', 'ACTION', 'WHO', 'WHERE', 'WHY'];

function rowOf({ index, record }: Record<string, unknown>): readonly unknown[] {
  const entry = asRecord(record);
  return [
    ...[index, entry.time, entry.kind, entry.outcome, entry.status, entry.action],
    ...[asRecord(entry.principal).name, whereOf(entry), whyOf(entry)],
  ];
}

interface Count {
  readonly value: string;
  readonly count: number;
}

async function countBy({ client }: Invocation, by: string, options: SearchOptions): Promise<Printed> {
  const counts = await countAll(client, by, conditionsOf(options));
  return {
    value: { by, counts },
    text: table(
      [by.toUpperCase(), 'COUNT'],
      counts.map(({ value, count }) => [value, count]),
    ),
  };
}

async function countFacets({ client }: Invocation, options: SearchOptions): Promise<Printed> {
  const conditions = conditionsOf(options);
  const facets: Record<string, readonly Count[]> = {};
  for (const by of FACETS) facets[by] = await countAll(client, by, conditions);
  const rows = Object.entries(facets).flatMap(([by, counts]) =>
    counts.slice(0, FACET_VALUES_MAX).map(({ value, count }, at) => [at === 0 ? by : ' ', value, count]),
  );
  return { value: { facets }, text: table(['BY', 'VALUE', 'COUNT'], rows) };
}

/** The counts of all pages, added: days in their order, all else the most frequent first. */
async function countAll(
  client: Client,
  by: string,
  { requestId: _, ...conditions }: Readonly<Record<string, string | undefined>>,
): Promise<readonly Count[]> {
  const counts = new Map<string, number>();
  let before: unknown;
  do {
    const page = await client.get('/audit/counts', {
      ...conditions,
      by,
      before: before === undefined ? undefined : String(before),
    });
    for (const { value, count } of listIn(page, 'counts')) {
      counts.set(String(value), (counts.get(String(value)) ?? 0) + Number(count));
    }
    before = page.next;
  } while (before !== undefined);
  const sorted = [...counts].map(([value, count]) => ({ value, count }));
  const byValue = (a: Count, b: Count) => (a.value < b.value ? -1 : 1);
  return sorted.sort((a, b) => (by === 'day' ? 0 : b.count - a.count) || byValue(a, b));
}

function whereOf({ repository, reference, digest }: Record<string, unknown>): string {
  return [repository, reference ?? digest].filter((part) => typeof part === 'string').join(' ');
}

/** Of a decision its reason, of a completion how the transfer ended, of a summary how many there were. */
function whyOf(entry: Record<string, unknown>): unknown {
  const { kind, reason, note, bytes, durationMs, isAborted, count, principal } = entry;
  if (kind === 'completion') {
    return `${isAborted === true ? 'cut after' : 'sent'} ${bytes ?? 0} bytes in ${durationMs ?? 0} ms`;
  }
  if (kind === 'summary') return `${count ?? 0} times, ${note ?? reason ?? ''}`;
  // Where nobody was known, the note says who somebody claimed to be.
  if (reason !== undefined && note !== undefined && principal === undefined) return `${reason}, ${note}`;
  return reason ?? note;
}

function isoOf(option: string, text: string | undefined): string | undefined {
  const atMs = instantOf(option, text);
  return atMs === undefined ? undefined : new Date(atMs).toISOString();
}
