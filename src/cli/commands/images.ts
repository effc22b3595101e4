import type { Command } from 'commander';
import { asRecord, listIn } from '../client.ts';
import { imageOf } from '../input.ts';
import { table } from '../output.ts';
import { type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';
import { addDeniedCommands } from './exceptions.ts';
import { addImportCommand } from './image-import.ts';

/** `repository`, `image`. */
export function addImageCommands(program: Command, context: CommandContext): void {
  program
    .command('repository')
    .description('repositories')
    .command('list')
    .description('list the repositories that you may list')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/repositories', { limit: '1000' });
        const names = Array.isArray(value.repositories) ? value.repositories : [];
        return {
          value,
          text: table(
            ['REPOSITORY'],
            names.map((name) => [name]),
          ),
        };
      }),
    );
  const image = program.command('image').description('images: what is known about them, and their verdicts');
  image
    .command('list <repository>')
    .description('list the manifests of a repository')
    .action((repository: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/images', { repository, limit: '1000' });
        const rows = listIn(value, 'images').map(({ digest, kind, size, tags }) => [
          digest,
          kind,
          size,
          tags,
        ]);
        return { value, text: table(['DIGEST', 'KIND', 'BYTES', 'TAGS'], rows) };
      }),
    );
  image
    .command('show <image>')
    .description('findings and verdict: image show team/app:1.4')
    .action((name: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) =>
        printImage(await client.get('/image', imageOf(name))),
      ),
    );
  image
    .command('scan <image>')
    .description('queue a new scan; the last verdict stands until it ends')
    .action((name: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.post('/image/scan', imageOf(name));
        return { value, text: `scan of ${value.digest} queued` };
      }),
    );
  image
    .command('sbom <image>')
    .description('print the newest SBOM that was pushed for an image')
    .option('--format <format>', 'cyclonedx or spdx')
    .action((name: string, options: { format?: string }, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/image/sbom', { ...imageOf(name), format: options.format });
        return { value, text: String(value.document) };
      }),
    );
  addImportCommand(image, context);
  addDeniedCommands(image, context);
}

function printImage(value: Record<string, unknown>): Printed {
  const verdict = asRecord(value.verdict);
  const lines = [
    `${value.repository}${String(value.reference).includes(':') ? '@' : ':'}${value.reference} is ${value.digest} (${value.kind})`,
    `verdict: ${verdict.outcome}${verdict.validUntil ? `, until ${verdict.validUntil}` : ''}`,
    ...listIn(verdict, 'reasons').map(({ policy, rule, text }) => `  blocked by ${policy}, ${rule}: ${text}`),
    ...listIn(verdict, 'warnings').map(
      ({ policy, rule, text }) => `  warning of ${policy}, ${rule}: ${text}`,
    ),
    ...listIn(value, 'scans').map(({ by, at, status, reason, author }) =>
      `scan: ${by} ${status} ${at} ${author ? `pushed by ${author} ` : ''}${reason ?? ''}`.trimEnd(),
    ),
  ];
  const findings = listIn(value, 'findings');
  lines.push(...printSignatures(value));
  if (findings.length === 0) return { value, text: [...lines, 'no findings'].join('\n') };
  const rows = findings.map(({ severity, kind, id, location, title, epss, exploitedSince }) => [
    severity,
    kind,
    id,
    location,
    [
      ...(exploitedSince === undefined ? [] : [`in KEV since ${String(exploitedSince).slice(0, 10)}: `]),
      ...(epss === undefined ? [] : [`EPSS ${epss}: `]),
      title,
    ].join(''),
  ]);
  return { value, text: [...lines, '', table(['SEVERITY', 'KIND', 'ID', 'WHERE', 'WHAT'], rows)].join('\n') };
}

function printSignatures(value: Record<string, unknown>): readonly string[] {
  if (value.signatures === undefined) return ['signatures: its registry is away'];
  return [
    ...listIn(value, 'signatures').map(({ by, who, issuer, at, until, predicateType, builder, source }) =>
      [
        `${predicateType === undefined ? 'signed' : `attested ${predicateType}`} by ${by}`,
        ...(who === undefined ? [] : [`(${who}, says ${issuer})`]),
        ...(at === undefined ? [] : [`at ${at}`]),
        ...(until === undefined ? [] : [`until ${until}`]),
        ...(builder === undefined ? [] : [`built by ${builder}`]),
        ...(source === undefined ? [] : [`from ${source}`]),
      ].join(' '),
    ),
    ...(Array.isArray(value.rejectedSignatures) ? value.rejectedSignatures : []).map(
      (why) => `does not count: ${why}`,
    ),
  ];
}
