import type { Command } from 'commander';
import { type Client, CommandFailed, listIn } from '../client.ts';
import { readPassword } from '../input.ts';
import { table } from '../output.ts';
import { type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';
import { addSecondFactorCommands } from './second-factor.ts';

/** `user`, `group`, `robot`. */
export function addPeopleCommands(program: Command, context: CommandContext): void {
  addUserCommands(program, context);
  addGroupCommands(program, context);
  addRobotCommands(program, context);
}

function addUserCommands(program: Command, context: CommandContext): void {
  const user = program.command('user').description('people who sign in with a password');
  user
    .command('add <name>')
    .description('add a user; grant a role to let it do anything')
    .requiredOption('--password-stdin', 'read the password from standard input')
    .addHelpText('after', '\nExample:\n  printf %s "$PASSWORD" | dockgate user add alice --password-stdin')
    .action((name: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.post('/users', { name, password: await readPassword(context) });
        return { value, text: `user ${name} added` };
      }),
    );
  user
    .command('passwd [name]')
    .description('set a password; every token of the old one dies')
    .requiredOption('--password-stdin', 'read the password from standard input')
    .addHelpText(
      'after',
      '\nWithout a name: the password of who is signed in. Standard input then holds two lines, the old one and the new.',
    )
    .action((name: string | undefined, _options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        if (name === undefined) return changeOwnPassword(client, await readPassword(context));
        const value = await client.put(`/users/${encodeURIComponent(name)}/password`, {
          password: await readPassword(context),
        });
        return { value, text: `password of ${name} set` };
      }),
    );
  const verbs = [
    ['disable', 'shut a user out at once, tokens included', 'disabled'],
    ['enable', 'let a user in again', 'enabled'],
    ['revoke', "end all of a user's sessions and tokens", 'has no live token any more'],
  ] as const;
  for (const [verb, description, done] of verbs) {
    user
      .command(`${verb} <name>`)
      .description(description)
      .action((name: string, _options, command: Command) =>
        withSession(command, context, async ({ client }) => ({
          value: await client.post(`/users/${encodeURIComponent(name)}/${verb}`),
          text: `user ${name} ${done}`,
        })),
      );
  }
  addSecondFactorCommands(user, context);
  addRemoval(user, context, { noun: 'user', path: '/users', description: 'remove a user with its grants' });
  user
    .command('list')
    .description('list users with their groups')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/users');
        const rows = listIn(value, 'users').map(({ name, isDisabled, groups, createdAt }) => [
          name,
          isDisabled ? 'disabled' : 'active',
          groups,
          createdAt,
        ]);
        return { value, text: table(['NAME', 'STATE', 'GROUPS', 'SINCE'], rows) };
      }),
    );
}

async function changeOwnPassword(client: Client, input: string): Promise<Printed> {
  const [oldPassword, password, ...more] = input.split(/\r?\n/);
  if (!oldPassword || !password || more.length > 0) {
    throw new CommandFailed('standard input must hold two lines: the old password and the new one');
  }
  const value = await client.put('/me/password', { oldPassword, password });
  return { value, text: 'your password is set; sign in again with it: dockgate login' };
}

function addGroupCommands(program: Command, context: CommandContext): void {
  const group = program.command('group').description('users that share grants');
  group
    .command('add <name>')
    .description('add a group')
    .action((name: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.post('/groups', { name }),
        text: `group ${name} added`,
      })),
    );
  addRemoval(group, context, {
    noun: 'group',
    path: '/groups',
    description: 'remove a group with its grants',
  });
  group
    .command('join <group> <user>')
    .description('put a user into a group')
    .action((name: string, user: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.put(`/groups/${encodeURIComponent(name)}/members/${encodeURIComponent(user)}`),
        text: `${user} is in ${name}`,
      })),
    );
  group
    .command('leave <group> <user>')
    .description('take a user out of a group')
    .action((name: string, user: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.delete(`/groups/${encodeURIComponent(name)}/members/${encodeURIComponent(user)}`),
        text: `${user} is no longer in ${name}`,
      })),
    );
  group
    .command('list')
    .description('list groups with their members')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/groups');
        const rows = listIn(value, 'groups').map(({ name, members }) => [name, members]);
        return { value, text: table(['NAME', 'MEMBERS'], rows) };
      }),
    );
}

function addRobotCommands(program: Command, context: CommandContext): void {
  const robot = program.command('robot').description('accounts of machines');
  robot
    .command('add <name>')
    .description('add a robot; prints its secret this once')
    .option('--expires <duration>', 'end of its life from now: 30d, 12h, 15m (default: none)')
    .action((name: string, options: { expires?: string }, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.post('/robots', {
          name,
          ...(options.expires ? { expires: options.expires } : {}),
        });
        return { value, text: String(value.secret) };
      }),
    );
  robot
    .command('rotate <name>')
    .description('give a robot a new secret; the old one dies, with its tokens')
    .option('--overlap <duration>', 'the old secret counts for so long: 1h, at most 7d (default: none)')
    .action((name: string, options: { overlap?: string }, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.post(`/robots/${encodeURIComponent(name)}/rotate`, options);
        return { value, text: String(value.secret) };
      }),
    );
  for (const [verb, description] of [
    ['disable', 'shut a robot out at once, tokens included'],
    ['enable', 'let a robot in again'],
  ] as const) {
    robot
      .command(`${verb} <name>`)
      .description(description)
      .action((name: string, _options, command: Command) =>
        withSession(command, context, async ({ client }) => ({
          value: await client.post(`/robots/${encodeURIComponent(name)}/${verb}`),
          text: `robot ${name} ${verb}d`,
        })),
      );
  }
  addRemoval(robot, context, {
    noun: 'robot',
    path: '/robots',
    description: 'remove a robot with its grants',
  });
  robot
    .command('list')
    .description('list robots')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/robots');
        const rows = listIn(value, 'robots').map((one) => [
          one.name,
          one.isDisabled ? 'disabled' : (one.warning ?? 'active'),
          one.expiresAt ?? 'never',
          one.createdAt,
          one.lastUsedAt ?? 'never',
          one.lastUsedFrom,
        ]);
        return { value, text: table(['NAME', 'STATE', 'EXPIRES', 'SINCE', 'LAST USED', 'FROM'], rows) };
      }),
    );
}

function addRemoval(
  parent: Command,
  context: CommandContext,
  removed: { readonly noun: string; readonly path: string; readonly description: string },
): void {
  parent
    .command('remove <name>')
    .description(removed.description)
    .action((name: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.delete(`${removed.path}/${encodeURIComponent(name)}`),
        text: `${removed.noun} ${name} removed`,
      })),
    );
}
