import type { Command } from 'commander';
import { imageOf, readText } from '../input.ts';
import { withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';

/** `scan`: results of scanners that run elsewhere. */
export function addScanCommands(program: Command, context: CommandContext): void {
  const scan = program.command('scan').description('scan results and the work of the scanners');
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
