import type { Command } from 'commander';
import { asRecord, type Client, CommandFailed, listIn } from '../client.ts';
import { table } from '../output.ts';
import { type Invocation, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';

/** Longest silence of a call: a stored file of many gigabytes is hashed within one. */
const SILENCE_MS = 600_000;

/** `registry gc`, `registry verify`, `registry usage`: the content store. */
export function addRegistryCommands(program: Command, context: CommandContext): void {
  const registry = program
    .command('registry')
    .description('the content store: collect, verify, who uses how much');
  registry
    .command('gc')
    .description('remove content that no repository links; the server does it every ten minutes')
    .option('--dry-run', 'only say what would go')
    .action((options: { readonly dryRun?: boolean }, command: Command) =>
      withSession(command, context, (invocation) => collect(invocation, options.dryRun === true)),
    );
  registry
    .command('verify')
    .description('hash every stored file and look for all that is linked; exit code 1 on any damage')
    .addHelpText(
      'after',
      '\nWorks while the server serves, and when none runs. What is damaged is removed, as it is when a pull finds it:' +
        '\nit is never served, what is cached comes again, and what was pushed must be pushed again.',
    )
    .action((_options, command: Command) => verify(command, context));
  registry
    .command('usage')
    .description('bytes by repository, the largest first, and quotas')
    .option('--top <count>', 'so many repositories (1 to 1000)', '20')
    .action((options: { readonly top: string }, command: Command) =>
      withSession(command, context, ({ client }) => usage(client, options.top)),
    );
}

/** Sums up one call after the other until one says that nothing is left. */
async function collect({ client, output }: Invocation, isDryRun: boolean) {
  const value = { isDryRun, count: 0, bytes: 0, pendingLinks: 0 };
  for (let after: unknown; ; ) {
    const body = { isDryRun, ...(after === undefined ? {} : { after }) };
    const part = await client.post('/registry/gc', body, SILENCE_MS);
    value.count += Number(part.count);
    value.bytes += Number(part.bytes);
    value.pendingLinks += Number(part.pendingLinks);
    after = part.next;
    if (after === undefined) break;
    output.note(`${value.count} files, ${value.bytes} bytes so far, at ${after}`);
  }
  const text = `${value.count} files with ${value.bytes} bytes ${isDryRun ? 'would be' : 'were'} removed`;
  return { value, text };
}

async function verify(command: Command, context: CommandContext): Promise<void> {
  let flaws: readonly Record<string, unknown>[] = [];
  await withSession(command, context, async (invocation) => {
    const found = await verifyAll(invocation);
    flaws = found.value.flaws;
    return found;
  });
  if (flaws.length > 0) throw new CommandFailed(`the registry is damaged: ${flaws.length} contents`);
}

async function verifyAll({ client, output }: Invocation) {
  const counts = { files: 0, links: 0 };
  let bytes = 0;
  const flaws = new Map<unknown, Record<string, unknown>>();
  for (let next: Record<string, unknown> = { step: 'files' }; ; ) {
    const part = await client.post('/registry/verify', next, SILENCE_MS);
    const isFiles = next.step === 'files';
    counts[isFiles ? 'files' : 'links'] += Number(part.count);
    if (isFiles) bytes += Number(part.bytes);
    // What the first step removed is missing in the second.
    for (const flaw of listIn(part, 'flaws')) {
      if (!flaws.has(flaw.digest)) flaws.set(flaw.digest, flaw);
    }
    if (part.next === undefined) break;
    next = asRecord(part.next);
    output.note(`${counts.files} files with ${bytes} bytes hashed, ${counts.links} links looked at`);
  }
  const value = { ...counts, bytes, flaws: [...flaws.values()] };
  if (value.flaws.length > 0) return { value, text: value.flaws.map(printFlaw).join('\n') };
  return {
    value,
    text: `the registry is whole: ${counts.files} files with ${bytes} bytes, ${counts.links} links`,
  };
}

function printFlaw(flaw: Record<string, unknown>): string {
  const holders = listIn(flaw, 'holders').map(({ repository, owner, tags }) => {
    const names = Array.isArray(tags) && tags.length > 0 ? tags.join(', ') : 'no tag';
    return `  ${repository} (${owner}): ${names}`;
  });
  const affected = holders.length === 0 ? ['  no repository links it'] : holders;
  const problem = flaw.problem === 'damaged' ? 'damaged, removed' : flaw.problem;
  return [`${flaw.digest}: ${problem}`, ...affected].join('\n');
}

async function usage(client: Client, limit: string) {
  const value = await client.get('/registry/usage', { limit });
  const rows = listIn(value, 'repositories').map((one) => [
    ...[one.repository, one.bytes, one.ownBytes, one.sharedBytes],
    ...[one.originBytes, one.cachedBytes, one.pendingBytes],
  ]);
  const headings = ['REPOSITORY', 'BYTES', 'OWN', 'SHARED', 'ORIGIN', 'CACHED', 'PENDING'];
  const total = `${value.contents} contents with ${value.bytes} bytes, each counted once`;
  const quotas = listIn(value, 'quotas').map(({ on, bytesMax, usedBytes }) => [
    ...[on, bytesMax, usedBytes, `${Math.floor((Number(usedBytes) / Number(bytesMax)) * 100)}%`],
  ]);
  const limits = quotas.length === 0 ? '' : `\n\n${table(['QUOTA ON', 'BYTES', 'USED', 'OF IT'], quotas)}`;
  return { value, text: `${table(headings, rows)}\n\n${total}${limits}` };
}
