import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { addHold, type Hold, readHolds, removeHold } from '../../audit/index.ts';
import { systemClock } from '../../base/index.ts';
import { CommandFailed, UsageError } from '../client.ts';
import { plainJson, table } from '../output.ts';
import type { CommandContext, GlobalOptions } from '../session.ts';
import { type FilterOptions, filterOf, withConditions } from './audit-filter.ts';

interface AddOptions extends FilterOptions {
  readonly reason: string;
}

/** `audit hold`: what the retention of the log must not remove. */
export function addHoldCommands(audit: Command, context: CommandContext): void {
  const hold = audit.command('hold').description('legal holds: records that are kept, however old');
  withConditions(
    hold
      .command('add <name>')
      .description('keep the records that fulfil all conditions; without one, all records')
      .requiredOption('--reason <text>', 'why, for those who read the log'),
  )
    .addHelpText(
      'after',
      '\nRun it on the server, as the user that the server runs as, which records it (`log.hold`) within a minute.' +
        '\n\nExample:\n  dockgate audit hold add case-7 --reason "order of 2026-11-24" --repository team/app',
    )
    .action((name: string, options: AddOptions, command: Command) => add(name, options, command));
  hold
    .command('remove <name>')
    .description('let the retention go on')
    .action((name: string, _options: unknown, command: Command) => remove(name, command));
  hold
    .command('list')
    .description('all holds')
    .action((_options: unknown, command: Command) => list(command, context));
}

async function add(name: string, options: AddOptions, command: Command): Promise<void> {
  const directory = directoryOf(command);
  const since = new Date(systemClock.nowMs()).toISOString();
  const hold: Hold = { name, reason: options.reason, since, filter: filterOf(options) };
  try {
    await addHold(directory, hold);
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}

async function remove(name: string, command: Command): Promise<void> {
  if (!(await removeHold(directoryOf(command), name))) throw new CommandFailed(`there is no hold ${name}`);
}

async function list(command: Command, { output }: CommandContext): Promise<void> {
  const holds = await readHolds(directoryOf(command));
  const { json } = command.optsWithGlobals<GlobalOptions>();
  if (json) return output.line(plainJson({ holds }));
  const rows = holds.map(({ name, since, reason, filter }) => [name, since, conditionsOf(filter), reason]);
  output.line(table(['NAME', 'SINCE', 'RECORDS', 'REASON'], rows));
}

function conditionsOf(filter: Hold['filter']): string {
  const known = Object.entries(filter).filter(([, value]) => value !== undefined);
  return known.length === 0 ? 'all' : known.map(([key, value]) => `${key} ${value}`).join(', ');
}

/** @throws {CommandFailed} there is no log. */
function directoryOf(command: Command): string {
  const directory = resolve(command.optsWithGlobals<GlobalOptions>().data ?? 'data', 'audit');
  if (!existsSync(join(directory, 'log'))) {
    throw new CommandFailed(`${directory} holds no access log: name the data of the server with --data DIR`);
  }
  return directory;
}
