import { type Command, Option } from 'commander';
import { asRecord, listIn, UsageError } from '../client.ts';
import { parseInstant, splitImage } from '../input.ts';
import { table } from '../output.ts';
import { type Invocation, type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';
import { addRoleFactorCommand } from './second-factor.ts';

interface GrantOptions {
  readonly role: string;
  readonly on: string;
  readonly user?: string;
  readonly group?: string;
  readonly robot?: string;
  readonly anonymous?: boolean;
  readonly deny?: boolean;
  readonly from?: string;
  readonly until?: string;
}

/** `role`, `grant`, `explain`. */
export function addRightsCommands(program: Command, context: CommandContext): void {
  addRoleCommands(program, context);
  const grant = program.command('grant').description('roles on repositories: who may do what where');
  grantOptions(grant.command('add').description('give a role on a repository pattern'))
    .option('--deny', "deny the role's actions instead; a deny wins over every other grant")
    .option('--from <instant>', 'begin of the grant, UTC: 2026-12-01T00:00:00Z', parseInstant)
    .option('--until <instant>', 'end of the grant, UTC: 2026-12-31T00:00:00Z', parseInstant)
    .addHelpText('after', "\nExample:\n  dockgate grant add --role developer --on 'team/**' --user alice")
    .action((options: GrantOptions, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.post('/grants', grantOf(options));
        return { value, text: `grant ${value.id} added` };
      }),
    );
  grantOptions(
    grant
      .command('remove')
      .description('take a grant away, denying and dated ones included; the next request is refused'),
  ).action((options: GrantOptions, command: Command) =>
    withSession(command, context, async ({ client }) => {
      const { role, on } = options;
      const value = await client.post('/grants/remove', { role, on, subject: subjectOf(options) });
      return { value, text: 'grant removed' };
    }),
  );
  grant
    .command('list')
    .description('list all grants')
    .action((_options, command: Command) => withSession(command, context, listGrants));
  program
    .command('explain <principal> <action> <image>')
    .description('go through a decision step by step: explain alice pull team/app:1.4')
    .option('--token <name>', 'with this personal access token of the user')
    .option('--scope <scope>', 'with a token for it: repository:team/app:pull')
    .action((principal: string, action: string, image: string, options: ExplainOptions, command: Command) =>
      withSession(command, context, (invocation) =>
        explain(invocation, { principal, action, ...options, ...splitImage(image) }),
      ),
    );
}

function addRoleCommands(program: Command, context: CommandContext): void {
  const role = program.command('role').description('named sets of actions');
  role
    .command('list')
    .description('list roles with their actions')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/roles');
        const rows = listIn(value, 'roles').map(({ name, isBuiltIn, actions }) => [
          name,
          isBuiltIn ? 'built in' : 'custom',
          actions,
        ]);
        return { value, text: table(['NAME', 'KIND', 'ACTIONS'], rows) };
      }),
    );
  role
    .command('put <name> <actions...>')
    .description('add a role or change its actions')
    .action((name: string, actions: string[], _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.put(`/roles/${encodeURIComponent(name)}`, { actions }),
        text: `role ${name} set`,
      })),
    );
  addRoleFactorCommand(role, context);
  role
    .command('remove <name>')
    .description('remove a role that no grant uses')
    .action((name: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.delete(`/roles/${encodeURIComponent(name)}`),
        text: `role ${name} removed`,
      })),
    );
}

function grantOptions(command: Command): Command {
  return command
    .requiredOption('--role <role>', 'reader, developer, maintainer, auditor, admin, or a role of yours')
    .requiredOption('--on <pattern>', "repositories: 'team/app', 'team/*', 'team/**', '**,!lab/**'")
    .option('--user <name>', 'to a user')
    .addOption(new Option('--group <name>', 'to a group').conflicts('user'))
    .addOption(new Option('--robot <name>', 'to a robot').conflicts(['user', 'group']))
    .addOption(
      new Option('--anonymous', 'to everybody, signed in or not').conflicts(['user', 'group', 'robot']),
    );
}

function grantOf(options: GrantOptions): unknown {
  return {
    role: options.role,
    on: options.on,
    subject: subjectOf(options),
    effect: options.deny ? 'deny' : 'allow',
    ...(options.from === undefined ? {} : { from: options.from }),
    ...(options.until === undefined ? {} : { until: options.until }),
  };
}

function subjectOf(options: GrantOptions): { readonly kind: string; readonly name: string } {
  if (options.anonymous) return { kind: 'anonymous', name: '' };
  for (const kind of ['user', 'group', 'robot'] as const) {
    const name = options[kind];
    if (name !== undefined) return { kind, name };
  }
  throw new UsageError('say to whom: --user NAME, --group NAME, --robot NAME or --anonymous');
}

async function listGrants({ client }: Invocation): Promise<Printed> {
  const value = await client.get('/grants');
  const rows = listIn(value, 'grants').map(
    ({ id, role, on, subject, effect, from, until, since, givenBy }) => {
      const { kind, name } = asRecord(subject);
      return [
        id,
        effect,
        role,
        on,
        kind === 'anonymous' ? 'anonymous' : `${kind} ${name}`,
        until,
        from,
        since,
        givenBy,
      ];
    },
  );
  return {
    value,
    text: table(['ID', 'EFFECT', 'ROLE', 'ON', 'TO', 'UNTIL', 'FROM', 'SINCE', 'GIVEN BY'], rows),
  };
}

interface ExplainOptions {
  readonly scope?: string;
  readonly token?: string;
}

async function explain(
  { client }: Invocation,
  question: Readonly<Record<string, string | undefined>>,
): Promise<Printed> {
  const value = await client.get('/explain', question);
  const steps = listIn(value, 'steps').map(
    ({ step, isPassed, text }) => `${isPassed ? 'yes' : 'NO '}  ${step}: ${text}`,
  );
  const grants = listIn(value, 'grants').map(
    ({ id, effect, role, on, state, decides }) =>
      `  ${decides ? '*' : ' '} ${effect} by grant ${id}, ${role} on ${on} (${state})`,
  );
  const matched = grants.length === 0 ? [] : ['grants about it:', ...grants];
  return { value, text: [...matched, ...steps, `=> ${value.isAllowed ? 'allowed' : 'refused'}`].join('\n') };
}
