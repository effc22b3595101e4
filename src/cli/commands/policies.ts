import type { Command } from 'commander';
import { stringify } from 'yaml';
import { CommandFailed, listIn } from '../client.ts';
import { diffLines } from '../diff.ts';
import { readYaml } from '../input.ts';
import { table } from '../output.ts';
import { type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';
import { addFeedCommand } from './feeds.ts';
import { addTryCommand } from './policy-try.ts';

/** `policy`. */
export function addPolicyCommands(program: Command, context: CommandContext): void {
  const policy = program.command('policy').description('what may be pulled');
  policy
    .command('apply')
    .description('set the policies of a file; those it does not name stay as they are')
    .requiredOption('-f, --file <file>', 'YAML with a list `policies`; - for standard input')
    .action((options: { file: string }, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const document = readYaml(
          options.file,
          options.file === '-' ? await context.readInput() : undefined,
          '`policies:` and list policies below it',
        );
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
  addVersionCommands(policy, context);
  addTryCommand(policy, context);
  addFeedCommand(policy, context);
}

function addVersionCommands(policy: Command, context: CommandContext): void {
  policy
    .command('history <name>')
    .description('list the versions of a policy: who changed it when')
    .action((name: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get(`/policies/${encodeURIComponent(name)}/versions`);
        const rows = listIn(value, 'versions').map(({ version, at, author, policy }) => [
          version,
          at,
          author,
          policy ? '' : 'removed',
        ]);
        return { value, text: table(['VERSION', 'SINCE', 'BY', ''], rows) };
      }),
    );
  policy
    .command('diff <name> <older> [newer]')
    .description('show what changed between two versions, or between one and the newest')
    .action((name: string, older: string, newer: string | undefined, _options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get(`/policies/${encodeURIComponent(name)}/versions`);
        const versions = listIn(value, 'versions');
        const lines = diffLines(linesOf(versions, older, name), linesOf(versions, newer, name));
        return { value: { lines }, text: lines.join('\n') || 'the two are equal' };
      }),
    );
  policy
    .command('rollback <name> <version>')
    .description('make an older version the newest one')
    .action((name: string, version: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.post(
          `/policies/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}/restore`,
        ),
        text: `policy ${name} is what it was in version ${version}`,
      })),
    );
}

/** The lines of one version as a policy file; none where it was removed. Without a version: the newest. */
function linesOf(
  versions: readonly Record<string, unknown>[],
  version: string | undefined,
  name: string,
): readonly string[] {
  const found = version === undefined ? versions[0] : versions.find((one) => String(one.version) === version);
  if (!found)
    throw new CommandFailed(`policy ${name} has no version ${version ?? 1}: see policy history ${name}`);
  return found.policy
    ? stringify({ policies: [found.policy] })
        .trimEnd()
        .split('\n')
    : [];
}

function showPolicy(value: Record<string, unknown>, name: string): Printed {
  const policy = listIn(value, 'policies').find((entry) => entry.name === name);
  if (!policy) throw new CommandFailed(`there is no policy ${name}`);
  return { value: policy, text: stringify({ policies: [policy] }).trimEnd() };
}
