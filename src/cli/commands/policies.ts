import type { Command } from 'commander';
import { parseDocument, stringify } from 'yaml';
import { CommandFailed, listIn } from '../client.ts';
import { parseInstant, readText } from '../input.ts';
import { table } from '../output.ts';
import { type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';

/** `policy`, `waiver`. */
export function addPolicyCommands(program: Command, context: CommandContext): void {
  const policy = program.command('policy').description('what may be pulled');
  policy
    .command('apply')
    .description('set the policies of a file; those it does not name stay as they are')
    .requiredOption('-f, --file <file>', 'YAML with a list `policies`; - for standard input')
    .action((options: { file: string }, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const document = readYaml(options.file, options.file === '-' ? await context.readInput() : undefined);
        const value = await client.put('/policies', document);
        return { value, text: `policies applied: ${value.applied}` };
      }),
    );
  policy
    .command('list')
    .description('list policies')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/policies');
        const rows = listIn(value, 'policies').map(({ name, mode, match, hold }) => [
          name,
          mode,
          match,
          hold,
        ]);
        return { value, text: table(['NAME', 'MODE', 'MATCH', 'HOLD'], rows) };
      }),
    );
  policy
    .command('show <name>')
    .description('print a policy as the file that would set it')
    .action((name: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => showPolicy(await client.get('/policies'), name)),
    );
  policy
    .command('remove <name>')
    .description('remove a policy; a repository that none matches any more is refused')
    .action((name: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.delete(`/policies/${encodeURIComponent(name)}`),
        text: `policy ${name} removed`,
      })),
    );
  addWaiverCommands(program, context);
}

interface WaiverOptions {
  readonly digest?: string;
  readonly on?: string;
  readonly reason: string;
  readonly until: string;
}

function addWaiverCommands(program: Command, context: CommandContext): void {
  const waiver = program.command('waiver').description('dated exceptions from policies');
  waiver
    .command('add <finding>')
    .description('excuse one finding until a date')
    .option('--digest <digest>', 'on this digest')
    .option('--on <pattern>', 'on the repositories of a pattern')
    .requiredOption('--reason <text>', 'why')
    .requiredOption('--until <instant>', 'end, UTC: 2026-12-31T00:00:00Z', parseInstant)
    .action((finding: string, options: WaiverOptions, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const { digest, on, reason, until: endsAt } = options;
        const value = await client.post('/waivers', { finding, digest, on, reason, endsAt });
        return { value, text: `waiver ${value.id} added` };
      }),
    );
  waiver
    .command('remove <id>')
    .description('end a waiver now')
    .action((id: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.delete(`/waivers/${encodeURIComponent(id)}`),
        text: `waiver ${id} removed`,
      })),
    );
  waiver
    .command('list')
    .description('list waivers')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/waivers');
        const rows = listIn(value, 'waivers').map(({ id, finding, digest, on, endsAt, author, reason }) => [
          id,
          finding,
          digest ?? on,
          endsAt,
          author,
          reason,
        ]);
        return { value, text: table(['ID', 'FINDING', 'ON', 'UNTIL', 'BY', 'WHY'], rows) };
      }),
    );
}

/** @throws {CommandFailed} the file cannot be read, is no YAML (with line and column), or holds no policies. */
function readYaml(file: string, input: string | undefined): unknown {
  const document = parseDocument(input ?? readText(file), { prettyErrors: true });
  const problem = document.errors[0];
  if (problem) throw new CommandFailed(`${file}: ${problem.message.trim()}`);
  const value = readValue(document, file);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new CommandFailed(`${file}: must begin with \`policies:\` and list policies below it`);
}

function readValue(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Aliases that stand for nothing, or for too much.
    throw new CommandFailed(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}

function showPolicy(value: Record<string, unknown>, name: string): Printed {
  const policy = listIn(value, 'policies').find((entry) => entry.name === name);
  if (!policy) throw new CommandFailed(`there is no policy ${name}`);
  return { value: policy, text: stringify({ policies: [policy] }).trimEnd() };
}
