import type { Command } from 'commander';
import type { DoctorCheck } from '../../app/index.ts';
import { asRecord, CommandFailed, listIn } from '../client.ts';
import { plainJson, plainLines, table } from '../output.ts';
import { withSession } from '../run-command.ts';
import type { CommandContext, GlobalOptions } from '../session.ts';

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

/** `serve`, `status`, `doctor`. */
export function addServiceCommands(program: Command, context: CommandContext): void {
  serverOptions(program.command('serve').description('run the gateway (what npm start does)')).action(
    async (options: ServeOptions, command: Command) => {
      const { serve } = await loadApp();
      await serve({ ...command.optsWithGlobals(), ...options }, context.env);
    },
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
          ...logLines(asRecord(value.log)),
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
    const { runDoctor } = await loadApp();
    printChecks(await runDoctor({ ...globals, ...options }, context.env), globals.json === true, context);
  });
}

/** How far the search index and the outlets are behind the log. */
function logLines(log: Record<string, unknown>): readonly string[] {
  const lag = Math.max(0, Number(log.records ?? 0) - Number(log.indexed ?? 0));
  const outlets = listIn(log, 'outlets').map(
    ({ name, kind, isHealthy, next, lag: behind, rejected, lastError }) => [
      ...[name, kind, isHealthy ? 'healthy' : 'FAILING', next, behind, rejected, lastError],
    ],
  );
  return [
    `search index: ${lag === 0 ? 'up to date' : `${lag} of ${log.records} records behind`}`,
    ...(outlets.length === 0
      ? []
      : ['', table(['OUTLET', 'KIND', 'STATE', 'NEXT', 'BEHIND', 'REJECTED', 'LAST ERROR'], outlets)]),
  ];
}

/** Loaded when it is needed: it brings the whole server along, and most commands only speak to one. */
function loadApp() {
  return import('../../app/index.ts');
}

/** The flags of `serve`, for every command that reads what a server would. */
export function serverOptions(command: Command): Command {
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
  if (isJson) context.output.line(plainJson(checks));
  else {
    for (const { name, isHealthy, text, mend } of checks) {
      const healthy = mend === undefined ? 'ok  ' : 'note';
      const advice = mend === undefined ? '' : `\n      mend: ${mend}`;
      context.output.line(plainLines(`${isHealthy ? healthy : 'FAIL'}  ${name}: ${text}${advice}`));
    }
  }
  const failed = checks.filter((check) => !check.isHealthy).length;
  if (failed > 0) throw new CommandFailed(`${failed} of ${checks.length} checks failed`);
}
