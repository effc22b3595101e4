import type { Command } from 'commander';
import { hasBrowser } from '../browser.ts';
import { signInByBrowser, signInByCode } from '../browser-sign-in.ts';
import { asRecord, CommandFailed, createClient, listIn, UsageError } from '../client.ts';
import { readPassword, readText } from '../input.ts';
import { plainJson, plainLines } from '../output.ts';
import { withSession } from '../run-command.ts';
import { type CommandContext, type GlobalOptions, signInTarget } from '../session.ts';
import { forgetSignIn, readSignIn, storeSignIn } from '../sign-in.ts';
import { type ApiAnswer, sendForm, type Target } from '../transport.ts';

interface LoginOptions {
  readonly user?: string;
  readonly passwordStdin?: boolean;
  readonly device?: boolean;
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
    .command('login [server]')
    .description('sign in to a server with a browser; later commands without --data speak to it')
    .option('--device', 'show a code to type in a browser elsewhere; so without a display, too')
    .option('--user <name>', 'user name, with --password-stdin')
    .option('--password-stdin', 'read the password from standard input')
    .option('--code <code>', 'one-time code, with a second factor on')
    .option('--ca <file>', "the server's CA (its certs/ca.crt), unless the system trusts it")
    .addHelpText(
      'after',
      '\nKeeps a token that `dockgate user revoke` ends, never the password. Without a server: the one of before.' +
        '\n\nExamples:\n  dockgate login https://reg.corp:8443\n  dockgate login --device\n  printf %s "$PASSWORD" | dockgate login https://reg.corp:8443 --user admin --ca ca.crt --password-stdin',
    )
    .action(async (server: string | undefined, options: LoginOptions, command: Command) => {
      print(command, context, await login(server, options, context));
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

async function login(
  server: string | undefined,
  options: LoginOptions,
  context: CommandContext,
): Promise<Told> {
  const before = server === undefined ? readSignIn(context.env) : undefined;
  const address = server ?? before?.server;
  if (address === undefined) throw new UsageError('name the server: dockgate login https://HOST:PORT');
  const url = serverUrl(address);
  const pem = options.ca === undefined ? before?.ca : readText(options.ca);
  const ca = pem === undefined ? {} : { ca: pem };
  const target = { kind: 'server' as const, url, authorization: '', ...ca };
  const { status, body } = await prove(target, options, context);
  if (status !== 200) throw new CommandFailed(refusalOf(body) ?? `the server answered ${status}`);
  const { refresh_token: refreshToken } = asRecord(body);
  if (typeof refreshToken !== 'string') {
    throw new CommandFailed('only people sign in this way; a robot shows its secret with each request');
  }
  const { name } = await createClient({ ...target, authorization: `Bearer ${refreshToken}` }).get('/me');
  const user = String(name);
  storeSignIn(context.env, { server: url, user, refreshToken, ...ca });
  return { value: { server: url, user }, text: `signed in to ${url} as ${user}` };
}

/** By password where one is given, else with a browser: here, or elsewhere by a code. */
async function prove(
  target: Target & { readonly kind: 'server' },
  { user, passwordStdin, code, device }: LoginOptions,
  context: CommandContext,
): Promise<ApiAnswer> {
  const isByPassword = user !== undefined || passwordStdin === true || code !== undefined;
  if (isByPassword && (user === undefined || passwordStdin !== true || device === true)) {
    throw new UsageError('a password needs --user NAME and --password-stdin; a browser needs neither');
  }
  const fail = (error: unknown): never => {
    throw error instanceof CommandFailed ? error : unreachable(target.url, error);
  };
  if (user === undefined) {
    const isHere = device !== true && hasBrowser(context.env, process.platform);
    return (isHere ? signInByBrowser : signInByCode)(target, context).catch(fail);
  }
  return sendForm(target, '/token', {
    grant_type: 'password',
    access_type: 'offline',
    client_id: 'dockgate-cli',
    username: user,
    password: await readPassword(context),
    ...(code === undefined ? {} : { otp: code }),
  }).catch(fail);
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
  // The token endpoint answers as registries do, the rest as the API does.
  const { error, ...rest } = asRecord(body);
  const message = listIn(rest, 'errors')[0]?.message ?? asRecord(error).message;
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
