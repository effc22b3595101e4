import type { Command } from 'commander';
import { listIn } from '../client.ts';
import { imageOf, readText } from '../input.ts';
import { table } from '../output.ts';
import { type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';

/** `scan`: results of scanners that run elsewhere. */
export function addScanCommands(program: Command, context: CommandContext): void {
  const scan = program.command('scan').description('scan results and the work of the scanners');
  scan
    .command('status')
    .description('what waits and runs, and how much was scanned with an older database')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => printStatus(await client.get('/scans'))),
    );
  scan
    .command('push <image> <file>')
    .description('push a result or SBOM of exactly this image: Trivy, Grype, SARIF, CycloneDX or SPDX JSON')
    .action((name: string, file: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const report = file === '-' ? await context.readInput() : readText(file);
        const value = await client.post('/image/reports', { ...imageOf(name), report });
        const packages = value.packages === undefined ? '' : `, ${value.packages} packages`;
        return {
          value,
          text: `${value.digest}: ${value.findings} findings${packages} by ${value.by} (${value.tool})`,
        };
      }),
    );
}

function printStatus(value: Record<string, unknown>): Printed {
  const running = listIn(value, 'running').map(({ repository, digest, forMs }) =>
    [`scanning: ${repository}@${digest}`, `for ${Math.round(Number(forMs) / 1000)}s`].join(' '),
  );
  const rows = listIn(value, 'scanners').map(({ name, scanned, outdated, version, problem }) => [
    name,
    scanned,
    outdated,
    problem === undefined ? version : `${version ?? ''} (${problem})`.trim(),
  ]);
  const scanners = table(['SCANNER', 'SCANNED', 'OUTDATED', 'VERSION'], rows);
  return { value, text: [`queued: ${value.queued}`, ...running, '', scanners].join('\n') };
}
