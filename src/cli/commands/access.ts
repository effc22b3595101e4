import { type Command, InvalidArgumentError } from 'commander';
import { csvCell } from '../../audit/index.ts';
import { asRecord, listIn } from '../client.ts';
import { splitImage } from '../input.ts';
import { table } from '../output.ts';
import { type Invocation, type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';

interface ReviewOptions {
  readonly days?: string;
  readonly csv?: boolean;
  readonly unused?: boolean;
}

/** `access`: who can do what, and who holds what. */
export function addAccessCommands(program: Command, context: CommandContext): void {
  const access = program.command('access').description('who can do what, and who holds what');
  access
    .command('who-can <action> <repository>')
    .description('list who may do something and by which grant: who-can pull team/app')
    .action((action: string, image: string, _options, command: Command) =>
      withSession(command, context, (invocation) => whoCan(invocation, action, image)),
    );
  access
    .command('review')
    .description('who holds what, since when, and when it was last of use')
    .option('--days <n>', 'what was of no use for so many days is unused (default: 90)', parseDays)
    .option('--unused', 'only what is unused')
    .option('--csv', 'as CSV; --json as JSON')
    .action((options: ReviewOptions, command: Command) =>
      withSession(command, context, (invocation) => reviewAccess(invocation, options)),
    );
}

function parseDays(text: string): string {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('Write a number of days: 90.');
  return text;
}

async function whoCan({ client }: Invocation, action: string, image: string): Promise<Printed> {
  const { repository } = splitImage(image);
  const value = await client.get('/access/who-can', { action, repository });
  const rows = listIn(value, 'principals').map(({ kind, name, because }) => {
    const { role, on, subject, until } = asRecord(because);
    const to = asRecord(subject);
    return [kind, name, role, on, to.kind === 'anonymous' ? 'everybody' : `${to.kind} ${to.name}`, until];
  });
  return { value, text: table(['KIND', 'NAME', 'BY ROLE', 'ON', 'GRANTED TO', 'UNTIL'], rows) };
}

const COLUMNS = [
  ...['kind', 'name', 'state', 'effect', 'role', 'on', 'by', 'actions', 'grant', 'since'],
  ...['from', 'until', 'givenBy', 'lastUsed', 'isUnused'],
];

async function reviewAccess({ client }: Invocation, options: ReviewOptions): Promise<Printed> {
  const answer = await client.get('/access/review', { days: options.days });
  const held = listIn(answer, 'held').filter(({ isUnused }) => !options.unused || isUnused === true);
  const rows = held.map((one) => {
    const { id, role, on, effect, since, from, until, givenBy } = asRecord(one.grant);
    const { kind, name, state, by, actions, lastUsed, isUnused } = one;
    const words = Array.isArray(actions) ? actions.join(' ') : '';
    const cells = [kind, name, state, effect, role, on, by, words, id, since, from, until, givenBy, lastUsed];
    return [...cells, isUnused].map((cell) => (cell === undefined ? '' : String(cell)));
  });
  const value = { held };
  if (options.csv) return { value, text: [COLUMNS, ...rows].map(csvLine).join('\n') };
  const shown = rows.map((row) => SHOWN.map((column) => row[COLUMNS.indexOf(column)]));
  const headings = SHOWN.map((column) => HEADINGS[column] ?? column.toUpperCase());
  return { value, text: table(headings, shown) };
}

/** What a terminal shows; the rest is in the CSV and the JSON. */
const SHOWN = [
  'kind',
  'name',
  'state',
  'effect',
  'role',
  'on',
  'by',
  'since',
  'until',
  'lastUsed',
  'isUnused',
];
const HEADINGS: Readonly<Record<string, string>> = { lastUsed: 'LAST USED', isUnused: 'UNUSED' };

function csvLine(row: readonly string[]): string {
  return row.map(csvCell).join(',');
}
