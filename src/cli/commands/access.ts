import { type Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { csvCell } from '../../audit/index.ts';
import { asRecord, listIn } from '../client.ts';
import { readYaml, splitImage } from '../input.ts';
import { table } from '../output.ts';
import { type Invocation, type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';

interface ReviewOptions {
  readonly days?: string;
  readonly csv?: boolean;
  readonly unused?: boolean;
}

/** `access`, `apply`: who can do what, who holds what, and all of it as a file. */
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
  addDocumentCommands(program, access, context);
}

interface ApplyOptions {
  readonly file: string;
  readonly dryRun?: boolean;
  readonly prune?: boolean;
}

/** `apply`, and what prints the file for it. */
function addDocumentCommands(program: Command, access: Command, context: CommandContext): void {
  access
    .command('export')
    .description('users, groups, robots, roles and grants as one file, without secrets')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/access/document');
        return { value, text: stringify(value, { lineWidth: 0 }).trimEnd() };
      }),
    );
  program
    .command('apply')
    .description('make users, groups, robots, roles and grants what a file says')
    .requiredOption('-f, --file <file>', 'YAML as `access export` prints it; - for standard input')
    .option('--dry-run', 'only print what would change')
    .option('--prune', 'remove what the file does not name, in the lists that it has')
    .addHelpText(
      'after',
      '\nExample:\n  dockgate access export > access.yaml\n  dockgate apply -f access.yaml --dry-run --prune',
    )
    .action((options: ApplyOptions, command: Command) =>
      withSession(command, context, (invocation) => apply(invocation, options)),
    );
}

async function apply({ client, context }: Invocation, options: ApplyOptions): Promise<Printed> {
  const { file, dryRun = false, prune = false } = options;
  const document = readYaml(file, file === '-' ? await context.readInput() : undefined, '`version: 1`');
  const value = await client.post('/access/apply', { document, isDryRun: dryRun, isPruning: prune });
  const lines = listIn(value, 'changes').map(({ do: verb, what, before, after }) => {
    const sign = before === undefined ? '+' : after === undefined ? '-' : '~';
    const detail = sign === '~' ? `: ${JSON.stringify(before)} to ${JSON.stringify(after)}` : '';
    return `${sign} ${what}${detail}${verb === 'account.add' ? ' (no password or secret yet)' : ''}`;
  });
  const count = lines.length === 1 ? '1 change' : `${lines.length} changes`;
  const end = lines.length === 0 ? 'nothing to change' : dryRun ? `${count}, none made` : `${count} made`;
  return { value, text: [...lines, end].join('\n') };
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
