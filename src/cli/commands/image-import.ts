import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { SECOND_MS } from '../../base/index.ts';
import { asRecord, type Client, CommandFailed, listIn, UsageError } from '../client.ts';
import { type Output, plainJson, plainText } from '../output.ts';
import type { CommandContext, GlobalOptions } from '../session.ts';
import { openSession } from '../session.ts';

/** How often a registry that does not answer is asked again before its repository counts as failed. */
const TRIES_MAX = 12;

interface Total {
  repositories: number;
  tags: number;
  added: number;
  known: number;
  readonly failures: { readonly image: string; readonly problem: string }[];
}

/** `image import`: what a registry held before dockgate stood in front of it is read and scanned. */
export function addImportCommand(image: Command, context: CommandContext): void {
  image
    .command('import [names...]')
    .description('read what upstreams hold, and queue it for scans behind all others')
    .option('--from <file>', 'a file with one name a line; # begins a comment, - is standard input')
    .addHelpText(
      'after',
      '\nA name is a repository, or a prefix that ends in / (team/); none means all that the upstreams list.' +
        '\nWhere an upstream asks for patience, that is waited for. Run it again after it broke off: what is known' +
        '\nis passed over. Exit code 1 when anything could not be read.' +
        '\n\nExamples:\n  dockgate image import\n  dockgate image import team/ base/alpine\n' +
        '  dockgate image import --from repositories.txt --json',
    )
    .action((names: readonly string[], options: { readonly from?: string }, command: Command) =>
      importAll(names, options.from, command, context),
    );
}

async function importAll(
  names: readonly string[],
  from: string | undefined,
  command: Command,
  context: CommandContext,
): Promise<void> {
  const globals: GlobalOptions = command.optsWithGlobals();
  const isJson = globals.json === true;
  const given = [...names, ...(from === undefined ? [] : await namesIn(from, context))];
  if (from !== undefined && given.length === 0) throw new UsageError(`--from ${from}: holds no name`);
  const session = await openSession(globals, context);
  const total: Total = { repositories: 0, tags: 0, added: 0, known: 0, failures: [] };
  const work: Work = { client: session.client, output: context.output, total, triesLeft: TRIES_MAX };
  try {
    for (const name of await repositoriesOf(session.client, given)) {
      const before = total.failures.length;
      const value = await importRepository(work, name);
      if (isJson) context.output.line(plainJson(value));
      for (const { image, problem } of total.failures.slice(before)) {
        context.output.progress?.('');
        context.output.note(plainText(`${image}: ${problem}`));
      }
    }
  } finally {
    context.output.progress?.('');
    await session.close();
  }
  const { repositories, tags, added, known, failures } = total;
  const counts = { repositories, tags, new: added, known, failed: failures.length };
  context.output.line(
    isJson
      ? plainJson({ summary: counts })
      : `${repositories} repositories with ${tags} tags: ${added} manifests new, ${known} known, ${failures.length} failed`,
  );
  if (failures.length > 0) {
    const first = failures[0];
    const more = failures.length > 1 ? ` and ${failures.length - 1} more` : '';
    throw new CommandFailed(
      `not imported: ${first?.image}${more}; run it again: what is known is passed over`,
    );
  }
}

async function namesIn(file: string, context: CommandContext): Promise<readonly string[]> {
  const text = file === '-' ? await context.readInput() : await readNames(file);
  const lines = text.split('\n').map((line) => line.replace(/#.*$/, '').trim());
  return lines.filter((line) => line !== '');
}

async function readNames(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CommandFailed(`cannot read ${file}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Each once, in the order in which they were named. */
async function repositoriesOf(client: Client, given: readonly string[]): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for (const name of given.length === 0 ? [''] : given) {
    if (name !== '' && !name.endsWith('/')) names.add(name);
    else for (const found of await listBelow(client, name)) names.add(found);
  }
  return names;
}

async function listBelow(client: Client, prefix: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (let last: string | undefined; ; ) {
    const page = await client.get('/image/import', { prefix, last });
    names.push(...(Array.isArray(page.repositories) ? page.repositories.map(String) : []));
    if (page.next === undefined) break;
    last = String(page.next);
  }
  if (names.length > 0) return names;
  const where =
    prefix === '' ? 'no upstream lists any repository' : `no upstream lists a repository below ${prefix}`;
  throw new CommandFailed(`${where}: name the repositories, or give a file of them with --from`);
}

interface Work {
  readonly client: Client;
  readonly output: Output;
  readonly total: Total;
  /** Of a registry that has been given up, the next repository is asked for only once. */
  triesLeft: number;
}

/** One call after the other until one says that nothing is left. */
async function importRepository(work: Work, repository: string): Promise<Record<string, unknown>> {
  const { client, output, total } = work;
  const before = { ...total, failures: total.failures.length };
  const fail = (reference: string, problem: string) => {
    const image = reference === '' ? repository : `${repository}:${reference}`;
    total.failures.push({ image, problem });
  };
  total.repositories += 1;
  for (let after: string | undefined; ; ) {
    const place = after === undefined ? '' : ` after ${after}`;
    output.progress?.(`${total.repositories}: ${plainText(repository)}${place}, ${total.added} new`);
    const part = await orProblem(() =>
      client.post('/image/import', { repository, ...(after === undefined ? {} : { after }) }),
    );
    if (typeof part === 'string') {
      fail('', part);
      break;
    }
    total.tags += Number(part.tags);
    total.added += Number(part.added);
    total.known += Number(part.known);
    for (const { reference, problem } of listIn(part, 'failures')) fail(String(reference), String(problem));
    const hasMoved = Number(part.tags) > 0;
    if (part.next !== undefined) after = String(part.next);
    if (part.pause === undefined) {
      work.triesLeft = TRIES_MAX;
      if (part.next === undefined) break;
      continue;
    }
    const { seconds, problem, isAsked } = asRecord(part.pause);
    if (hasMoved || isAsked === true) work.triesLeft = TRIES_MAX;
    else work.triesLeft -= 1;
    if (work.triesLeft <= 0) {
      fail('', String(problem));
      work.triesLeft = 1;
      break;
    }
    output.progress?.(`${plainText(`${repository}: ${problem}`)}; goes on in ${seconds} s`);
    await sleep(Number(seconds) * SECOND_MS);
  }
  return {
    repository,
    tags: total.tags - before.tags,
    new: total.added - before.added,
    known: total.known - before.known,
    failures: total.failures.slice(before.failures),
  };
}

/** A "no" to one repository holds up no other. */
async function orProblem(call: () => Promise<Record<string, unknown>>) {
  try {
    return await call();
  } catch (error) {
    if (error instanceof CommandFailed) return error.message;
    throw error;
  }
}
