import { type Command, InvalidArgumentError } from 'commander';
import { asRecord, listIn } from '../client.ts';
import { table } from '../output.ts';
import { type Invocation, type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';

interface CreateOptions {
  readonly expires?: string;
  readonly allow: readonly Allowed[];
}

interface Allowed {
  readonly actions: readonly string[];
  readonly on: string;
}

/** `token`: personal access tokens and sessions. */
export function addTokenCommands(program: Command, context: CommandContext): void {
  const token = program
    .command('token')
    .description('personal access tokens: what stands in for your password in docker login and in scripts');
  token
    .command('create <name>')
    .description('make a token with a part of your rights; prints its secret this once')
    .option('--expires <duration>', 'life from now, 5m to 365d (default: 30d)')
    .option(
      '--allow <actions:pattern>',
      "what it may do where you may: 'pull,list:team/**' (repeatable; default: pull,list:**)",
      collectAllowed,
      [],
    )
    .addHelpText(
      'after',
      "\nExample:\n  dockgate token create laptop --expires 12h --allow 'pull,push:team/**'",
    )
    .action((name: string, options: CreateOptions, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.post('/tokens', {
          name,
          ...(options.expires === undefined ? {} : { expires: options.expires }),
          ...(options.allow.length === 0 ? {} : { allows: options.allow }),
        });
        return { value, text: String(value.secret) };
      }),
    );
  token
    .command('list')
    .description('list your tokens and sessions, with their last use')
    .option('--user <name>', 'of somebody else, for an admin')
    .action((options: { user?: string }, command: Command) =>
      withSession(command, context, (invocation) => listTokens(invocation, options.user)),
    );
  token
    .command('rotate <name>')
    .description('give a token a new secret and as long a life again; prints the secret this once')
    .option('--overlap <duration>', 'the old secret counts for so long: 1h, at most 7d (default: none)')
    .action((name: string, options: { overlap?: string }, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.post(`/tokens/${encodeURIComponent(name)}/rotate`, options);
        return { value, text: String(value.secret) };
      }),
    );
  token
    .command('revoke <token>')
    .description('end a token, by its name, or a session, by its id; the next request with it is refused')
    .option('--user <name>', 'of somebody else, for an admin')
    .action((name: string, options: { user?: string }, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.delete(`${pathOf(options.user)}/${encodeURIComponent(name)}`),
        text: `${name} revoked`,
      })),
    );
}

function pathOf(user: string | undefined): string {
  return user === undefined ? '/tokens' : `/users/${encodeURIComponent(user)}/tokens`;
}

function collectAllowed(text: string, before: readonly Allowed[]): readonly Allowed[] {
  const colon = text.indexOf(':');
  if (colon < 1 || colon === text.length - 1) {
    throw new InvalidArgumentError("Write actions and a pattern: 'pull,push:team/**'.");
  }
  return [...before, { actions: text.slice(0, colon).split(','), on: text.slice(colon + 1) }];
}

async function listTokens({ client }: Invocation, user: string | undefined): Promise<Printed> {
  const value = await client.get(pathOf(user));
  const tokens = listIn(value, 'tokens').map((token) => [
    token.name,
    token.isOver === true ? 'over' : (token.warning ?? 'active'),
    listIn(token, 'allows').map(printAllowed),
    token.expiresAt,
    token.lastUsedAt ?? 'never',
    token.lastUsedFrom,
  ]);
  const sessions = listIn(value, 'sessions').map((session) => [
    session.id,
    session.client,
    session.createdAt,
    session.lastUsedAt,
    session.lastUsedFrom,
  ]);
  const text = [
    table(['TOKEN', 'STATE', 'MAY', 'ENDS', 'LAST USED', 'FROM'], tokens),
    '',
    table(['SESSION', 'CLIENT', 'SINCE', 'LAST USED', 'FROM'], sessions),
  ].join('\n');
  return { value, text };
}

function printAllowed(allowed: unknown): string {
  const { actions, on } = asRecord(allowed);
  return `${Array.isArray(actions) ? actions.join('+') : ''} on ${on}`;
}
