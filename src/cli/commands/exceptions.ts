import type { Command } from 'commander';
import { CommandFailed, listIn } from '../client.ts';
import { parseInstant, readText } from '../input.ts';
import { table } from '../output.ts';
import { withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';

interface WaiverOptions {
  readonly rule?: string;
  readonly digest?: string;
  readonly on?: string;
  readonly reason: string;
  readonly ticket?: string;
  readonly until: string;
}

type VexOptions = Pick<WaiverOptions, 'on' | 'ticket' | 'until'>;

/** `waiver`, and the digests that are denied: `image block|unblock|blocked`. */
export function addExceptionCommands(program: Command, context: CommandContext): void {
  const waiver = program.command('waiver').description('dated exceptions from policies');
  waiver
    .command('add [finding]')
    .description('excuse one finding, or one rule, until a date')
    .option('--rule <rule>', 'a whole rule, such as age, in place of a finding')
    .option('--digest <digest>', 'on this digest')
    .option('--on <pattern>', 'on the repositories of a pattern')
    .requiredOption('--reason <text>', 'why')
    .option('--ticket <ticket>', 'where it was decided')
    .requiredOption('--until <instant>', 'end, UTC: 2026-12-31T00:00:00Z', parseInstant)
    .action((finding: string | undefined, options: WaiverOptions, command: Command) =>
      withSession(command, context, async ({ client }) => {
        if ((finding === undefined) === (options.rule === undefined)) {
          throw new CommandFailed('give either the id of a finding or --rule RULE');
        }
        const { until: endsAt, ...others } = options;
        const value = await client.post('/waivers', { finding, ...others, endsAt });
        return { value, text: `waiver ${value.id} added` };
      }),
    );
  waiver
    .command('import-vex <file>')
    .description(
      'excuse what an OpenVEX document states to be not affected or fixed, on the digests it names',
    )
    .option('--on <pattern>', 'only in the repositories of a pattern')
    .option('--ticket <ticket>', 'where it was decided')
    .requiredOption('--until <instant>', 'end, UTC: 2026-12-31T00:00:00Z', parseInstant)
    .action((file: string, options: VexOptions, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const document = file === '-' ? await context.readInput() : readText(file);
        const { until: endsAt, ...others } = options;
        const value = await client.post('/vex-documents', { document, ...others, endsAt });
        const added = Array.isArray(value.ids) ? value.ids.length : 0;
        const unnamed = value.unnamed === 0 ? '' : `; ${value.unnamed} products name no digest or package`;
        return { value, text: `${added} waivers added, ${value.known} were there${unnamed}` };
      }),
    );
  waiver
    .command('approve <id>')
    .description('approve a waiver that somebody else added, where a policy asks for a second person')
    .action((id: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.post(`/waivers/${encodeURIComponent(id)}/approval`),
        text: `waiver ${id} approved`,
      })),
    );
  waiver
    .command('remove <id>')
    .description('end a waiver now')
    .action((id: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.delete(`/waivers/${encodeURIComponent(id)}`),
        text: `waiver ${id} removed`,
      })),
    );
  waiver
    .command('list')
    .description('list waivers')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/waivers');
        const rows = listIn(value, 'waivers').map((one) => [
          one.id,
          one.package ? `${one.finding} in ${one.package}` : (one.finding ?? `rule ${one.rule}`),
          one.digest ?? one.on,
          one.endsAt,
          one.author,
          one.approvedBy,
          one.ticket,
          one.reason,
        ]);
        return {
          value,
          text: table(['ID', 'EXCUSES', 'ON', 'UNTIL', 'BY', 'APPROVED BY', 'TICKET', 'WHY'], rows),
        };
      }),
    );
}

/** Digests that are refused everywhere; below `image`, where an admin looks for them. */
export function addDeniedCommands(image: Command, context: CommandContext): void {
  image
    .command('block <digest>')
    .description(
      'refuse a manifest, or whatever names a blob, everywhere and whatever policies and waivers say',
    )
    .requiredOption('--reason <text>', 'why; it is printed in refusals')
    .action((digest: string, options: { reason: string }, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.put(`/denied-digests/${encodeURIComponent(digest)}`, { reason: options.reason }),
        text: `${digest} is refused everywhere from now on`,
      })),
    );
  image
    .command('unblock <digest>')
    .description('let policies judge a digest again')
    .action((digest: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.delete(`/denied-digests/${encodeURIComponent(digest)}`),
        text: `${digest} is judged by policies again`,
      })),
    );
  image
    .command('blocked')
    .description('list the digests that are refused everywhere')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.get('/denied-digests');
        const rows = listIn(value, 'digests').map(({ digest, at, author, reason }) => [
          digest,
          at,
          author,
          reason,
        ]);
        return { value, text: table(['DIGEST', 'SINCE', 'BY', 'WHY'], rows) };
      }),
    );
}
