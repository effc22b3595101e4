import type { Command } from 'commander';
import { asRecord, type Client, listIn, UsageError } from '../client.ts';
import { readYaml } from '../input.ts';
import { table } from '../output.ts';
import { type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';
import { instantOf } from './audit-place.ts';

interface TryOptions {
  readonly since: string;
  readonly without?: readonly string[];
  readonly enforced?: true;
}

type Row = Record<string, unknown>;

/** Images that are held and printed; what is beyond is counted. */
const IMAGES_MAX = 5000;
const PRINCIPALS_MAX = 20;
const NAMED_MAX = 3;

/** `policy try`. */
export function addTryCommand(policy: Command, context: CommandContext): void {
  policy
    .command('try [file]')
    .description('what policies would refuse or let through of what was pulled lately; changes nothing')
    .option('--since <time>', 'pulls from then on: a duration back (2h, 7d) or a UTC instant', '30d')
    .option('--without <name...>', 'as if these policies were removed')
    .option('--enforced', 'as if the policies of the file were enforced, where they only warn')
    .addHelpText(
      'after',
      '\nThe policies of the file take the place of those of the same name; all others stay.' +
        '\n\nExamples:\n  dockgate policy try strict.yaml\n  dockgate policy try warn.yaml --enforced --since 7d --json' +
        '\n  dockgate policy try --without default-advice',
    )
    .action((file: string | undefined, options: TryOptions, command: Command) =>
      withSession(command, context, async ({ client }) => {
        if (file === undefined && options.without === undefined) {
          throw new UsageError('name a file with policies, or policies with --without');
        }
        const input = file === '-' ? await context.readInput() : undefined;
        const document =
          file === undefined ? {} : asRecord(readYaml(file, input, '`policies:` and list policies below it'));
        return printTrial(await tryAll(client, document, options, context));
      }),
    );
}

/** Page by page; an image of several pages is one row. */
async function tryAll(
  client: Client,
  document: object,
  { since, without, enforced }: TryOptions,
  context: CommandContext,
): Promise<Row & { readonly changed: readonly Row[] }> {
  const sinceMs = instantOf('--since', since) ?? 0;
  const asked = { ...document, without, enforced, since: new Date(sinceMs).toISOString() };
  const changed = new Map<string, Row>();
  let [pulls, more] = [0, 0];
  let before: unknown;
  do {
    const page = await client.post('/policy-trials', { ...asked, before });
    for (const row of listIn(page, 'changed')) {
      const place = `${row.repository}@${row.digest}`;
      const known = changed.get(place);
      if (known || changed.size < IMAGES_MAX) changed.set(place, known ? joined(known, row) : row);
      else more += 1;
    }
    pulls += Number(page.pulls);
    before = page.next;
    context.output.progress?.(`${pulls} pulls looked at`);
  } while (before !== undefined);
  context.output.progress?.('');
  return { since: asked.since, pulls, changed: [...changed.values()], ...(more > 0 ? { more } : {}) };
}

/** The newer page came first. */
function joined(newer: Row, older: Row): Row {
  const byName = new Map(listIn(newer, 'principals').map((one) => [one.name, one]));
  for (const one of listIn(older, 'principals')) {
    const known = byName.get(one.name);
    if (known) {
      byName.set(one.name, {
        ...{ name: one.name, pulls: Number(known.pulls) + Number(one.pulls) },
        refused: Number(known.refused) + Number(one.refused),
      });
    } else if (byName.size < PRINCIPALS_MAX) byName.set(one.name, one);
  }
  return {
    ...newer,
    tags: [...new Set([...textsIn(newer.tags), ...textsIn(older.tags)])],
    pulls: Number(newer.pulls) + Number(older.pulls),
    refused: Number(newer.refused) + Number(older.refused),
    ...(newer.principals === undefined ? {} : { principals: [...byName.values()] }),
  };
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function printTrial(value: Row & { readonly changed: readonly Row[] }): Printed {
  const { changed } = value;
  const countOf = (change: string) => changed.filter((row) => row.change === change).length;
  const summary =
    `of what ${value.pulls} pulls since ${value.since} got: ${countOf('blocked')} images would be refused, ` +
    `${countOf('unscanned')} would first be scanned, ${countOf('admitted')} would be let through that are refused now`;
  if (changed.length === 0) return { value, text: summary };
  const rows = changed.map((row) => [
    row.change,
    `${row.repository}@${String(row.digest).slice(0, 19)}`,
    textsIn(row.tags).slice(0, NAMED_MAX).join(' '),
    row.change === 'admitted' ? row.refused : row.pulls,
    whoOf(row),
    whyOf(row),
  ]);
  const more = value.more === undefined ? [] : [`+${value.more} more images: choose a shorter --since`];
  const headings = ['WOULD BE', 'IMAGE', 'TAGS', 'PULLS', 'BY', 'WHY'];
  return { value, text: [summary, '', table(headings, rows), ...more].join('\n') };
}

function whoOf(row: Row): string {
  const names = listIn(row, 'principals').map(({ name }) => String(name));
  const more = names.length > NAMED_MAX ? ` +${names.length - NAMED_MAX} more` : '';
  return `${names.slice(0, NAMED_MAX).join(', ')}${more}`;
}

/** What speaks against it: then, or now where it would be let through. */
function whyOf(row: Row): string {
  const verdict = row.change === 'admitted' ? row.before : row.after;
  const [reason] = listIn({ ...(verdict ?? {}) }, 'reasons');
  if (!reason) return '';
  const found = listIn(reason, 'findings').map(({ id }) => String(id));
  const names = found.length === 0 ? '' : `: ${[...new Set(found)].slice(0, NAMED_MAX).join(', ')}`;
  return `${reason.policy}, ${reason.rule}: ${reason.text}${names}`;
}
