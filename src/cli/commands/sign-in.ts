import type { Command } from 'commander';
import { asRecord, CommandFailed, createClient, listIn, UsageError } from '../client.ts';
import { readPassword, readText } from '../input.ts';
import { plainJson, plainLines } from '../output.ts';
import { withSession } from '../run-command.ts';
import { type CommandContext, type GlobalOptions, signInTarget } from '../session.ts';
import { forgetSignIn, readSignIn, storeSignIn } from '../sign-in.ts';
import { sendForm } from '../transport.ts';

interface LoginOptions {
  readonly user: string;
  readonly ca?: string;
  readonly code?: string;
}

/** What an untrusted certificate is called by Node. */
const UNTRUSTED: readonly string[] = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];

/** `login`, `logout`, `whoami`. */
export function addSignInCommands(program: Command, context: CommandContext): void {
  program
    .command('login <url>')
    .description('sign in to a server; later commands without --data speak to it')
    .requiredOption('--user <name>', 'user name')
    .requiredOption('--password-stdin', 'read the password from standard input')
    .option('--code <code>', 'one-time code, with a second factor on')
    .option('--ca <file>', "the server's CA (its certs/ca.crt), unless the system trusts it")
    .addHelpText(
      'after',
      '\nKeeps a token that `dockgate user revoke` ends, never the password.' +
        '\n\nExample:\n  printf %s "$PASSWORD" | dockgate login https://reg.corp:8443 --user admin --ca ca.crt --password-stdin',
    )
    .action(async (url: string, options: LoginOptions, command: Command) => {
      print(command, context, await login(url, options, context));
    });
  program
    .command('logout')
    .description('end the stored sign-in, here and on the server')
    .action(async (_options, command: Command) => print(command, context, await logout(context)));
  program
    .command('whoami')
    .description('who the server takes you for')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/me');
        const warnings = Array.isArray(value.warnings) ? value.warnings.map(String) : [];
        return { value, text: [`${value.kind} ${value.name}`, ...warnings].join('\n') };
      }),
    );
}

interface Told {
  readonly value: object;
  readonly text: string;
}

function print(command: Command, context: CommandContext, { value, text }: Told): void {
  const { json } = command.optsWithGlobals<GlobalOptions>();
  context.output.line(json === true ? plainJson(value) : plainLines(text));
}

async function login(address: string, options: LoginOptions, context: CommandContext): Promise<Told> {
  const url = serverUrl(address);
  const ca = options.ca === undefined ? {} : { ca: readText(options.ca) };
  const target = { kind: 'server' as const, url, authorization: '', ...ca };
  const { status, body } = await sendForm(target, '/token', {
    grant_type: 'password',
    access_type: 'offline',
    client_id: 'dockgate-cli',
    username: options.user,
    password: await readPassword(context),
    ...(options.code === undefined ? {} : { otp: options.code }),
  }).catch((error: unknown) => {
    throw unreachable(url, error);
  });
  if (status !== 200) throw new CommandFailed(refusalOf(body) ?? `the server answered ${status}`);
  const { refresh_token: refreshToken } = asRecord(body);
  if (typeof refreshToken !== 'string') {
    throw new CommandFailed('only people sign in this way; a robot shows its secret with each request');
  }
  storeSignIn(context.env, { server: url, user: options.user, refreshToken, ...ca });
  return { value: { server: url, user: options.user }, text: `signed in to ${url} as ${options.user}` };
}

/** `reg.corp:8443` and `https://reg.corp:8443/` alike. @throws {UsageError} it is no address of a server with TLS. */
function serverUrl(address: string): string {
  const text = address.includes('://') ? address : `https://${address}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') {
    throw new UsageError(`${address} is no address of a server: write https://HOST:PORT`);
  }
  return url.origin;
}

function unreachable(url: string, error: unknown): CommandFailed {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const hint = UNTRUSTED.includes(code) ? ': name its CA with --ca (certs/ca.crt on the server)' : '';
  return new CommandFailed(`cannot reach ${url}: ${message}${hint}`);
}

function refusalOf(body: unknown): string | undefined {
  const message = listIn(asRecord(body), 'errors')[0]?.message;
  return typeof message === 'string' ? message.replace(/^dockgate: /, '') : undefined;
}

async function logout(context: CommandContext): Promise<Told> {
  const signIn = readSignIn(context.env);
  if (!signIn) return { value: { isSignedOut: false }, text: 'nobody was signed in' };
  const isEnded = await createClient(signInTarget(signIn))
    .post('/sign-out')
    .then(
      () => true,
      // Forgotten here all the same; the text says what is left to do.
      () => false,
    );
  forgetSignIn(context.env);
  const text = isEnded
    ? 'signed out'
    : `signed out here; ${signIn.server} could not be told: \`dockgate user revoke ${signIn.user}\` ends the token there`;
  return { value: { isSignedOut: true, isEndedOnServer: isEnded }, text };
}
