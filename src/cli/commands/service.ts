import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type DoctorCheck, runDoctor, serve } from '../../app/index.ts';
import { asRecord, CommandFailed, listIn } from '../client.ts';
import { table } from '../output.ts';
import { withSession } from '../run-command.ts';
import type { CommandContext, GlobalOptions } from '../session.ts';
import { forgetSignIn, storeSignIn } from '../sign-in.ts';
import { sendForm } from '../transport.ts';
import { readPassword } from './people.ts';

/** Flags of the server; each is also a key of the configuration. */
export interface ServeOptions {
  readonly config?: string;
  readonly data?: string;
  readonly certs?: string;
  readonly port?: string;
  readonly opsPort?: string;
  readonly listen?: string;
  readonly opsListen?: string;
  readonly workers?: string;
  readonly publicUrl?: string;
  readonly name?: readonly string[];
  readonly set?: readonly string[];
}

/** `serve`, `status`, `doctor`, `login`, `logout`. */
export function addServiceCommands(program: Command, context: CommandContext): void {
  serverOptions(program.command('serve').description('run the gateway (what npm start does)')).action(
    (options: ServeOptions, command: Command) =>
      serve({ ...command.optsWithGlobals(), ...options }, context.env),
  );
  program
    .command('status')
    .description('version, access log and registries of the server')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/status');
        const rows = listIn(value, 'registries').map(({ prefix, kind, isHealthy, note }) => [
          prefix === '' ? '(all)' : prefix,
          kind,
          isHealthy ? 'healthy' : 'AWAY',
          note,
        ]);
        const log = value.isLogWritable ? 'writable' : 'NOT WRITABLE: nothing is served';
        const text = [
          `dockgate ${value.version}`,
          `access log: ${log}`,
          '',
          table(['PREFIX', 'KIND', 'STATE', 'NOTE'], rows),
        ];
        return { value, text: text.join('\n') };
      }),
    );
  serverOptions(
    program.command('doctor').description('check certificates, database, Redis, upstream, disk, clock'),
  ).action(async (options: ServeOptions, command: Command) => {
    const globals = command.optsWithGlobals<GlobalOptions>();
    printChecks(await runDoctor({ ...globals, ...options }, context.env), globals.json === true, context);
  });
  addSignInCommands(program, context);
}

function serverOptions(command: Command): Command {
  const collect = (value: string, before: readonly string[] = []) => [...before, value];
  return command
    .option('--config <file>', 'configuration (default: config/dockgate.yaml if there)')
    .option('--certs <dir>', 'certificates (default: certs)')
    .option('--port <number>', 'TLS port (default: 8443)')
    .option('--listen <address>', 'TLS address (default: all)')
    .option('--ops-port <number>', 'port of /metrics, /healthz, /readyz (default: 9464)')
    .option('--ops-listen <address:port>', 'the same with its address (default: 127.0.0.1:9464)')
    .option('--workers <count>', 'worker processes (default: one a core)')
    .option('--public-url <url>', 'address that clients use (default: https://localhost:PORT)')
    .option('--name <name>', 'further name in the certificate (repeatable)', collect)
    .option('--set <key=value>', 'any key of the configuration (repeatable)', collect);
}

function printChecks(checks: readonly DoctorCheck[], isJson: boolean, context: CommandContext): void {
  if (isJson) context.output.line(JSON.stringify(checks));
  else {
    for (const { name, isHealthy, text, mend } of checks) {
      context.output.line(
        `${isHealthy ? 'ok  ' : 'FAIL'}  ${name}: ${text}${mend ? `\n      mend: ${mend}` : ''}`,
      );
    }
  }
  const failed = checks.filter((check) => !check.isHealthy).length;
  if (failed > 0) throw new CommandFailed(`${failed} of ${checks.length} checks failed`);
}

interface LoginOptions {
  readonly user: string;
  readonly ca?: string;
}

function addSignInCommands(program: Command, context: CommandContext): void {
  program
    .command('login <url>')
    .description('sign in to a server; later commands without --data speak to it')
    .requiredOption('--user <name>', 'user name')
    .requiredOption('--password-stdin', 'read the password from standard input')
    .option('--ca <file>', "the server's CA (its certs/ca.crt)")
    .action((url: string, options: LoginOptions) => login(url, options, context));
  program
    .command('logout')
    .description('forget the stored sign-in')
    .action(() => {
      forgetSignIn(context.env);
      context.output.line('signed out');
    });
  program
    .command('whoami')
    .description('who the server takes you for')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/me');
        return { value, text: `${value.kind} ${value.name}` };
      }),
    );
}

async function login(url: string, options: LoginOptions, context: CommandContext): Promise<void> {
  const ca = options.ca === undefined ? {} : { ca: readFileSync(options.ca, 'utf8') };
  const target = { kind: 'server' as const, url, authorization: '', ...ca };
  const { status, body } = await sendForm(target, '/token', {
    grant_type: 'password',
    access_type: 'offline',
    client_id: 'dockgate-cli',
    username: options.user,
    password: await readPassword(context),
  }).catch((error: unknown) => {
    throw new CommandFailed(`cannot reach ${url}: ${error instanceof Error ? error.message : error}`);
  });
  const { refresh_token: refreshToken } = asRecord(body);
  if (status !== 200 || typeof refreshToken !== 'string') {
    const first = listIn(asRecord(body), 'errors')[0];
    throw new CommandFailed(
      typeof first?.message === 'string' ? first.message : `the server answered ${status}`,
    );
  }
  storeSignIn(context.env, { server: url, user: options.user, refreshToken, ...ca });
  context.output.line(`signed in to ${url} as ${options.user}`);
}
