import type { Command } from 'commander';
import { listIn } from '../client.ts';
import { table } from '../output.ts';
import { type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';

/** Feeds are fetched while the command waits. */
const REFRESH_MS_MAX = 120_000;

/** `policy feeds`. */
export function addFeedCommand(policy: Command, context: CommandContext): void {
  policy
    .command('feeds')
    .description('EPSS scores and KEV catalog: how old they are, and what the last look at their source said')
    .option('--refresh', 'look at the sources now')
    .action((options: { refresh?: true }, command: Command) =>
      withSession(command, context, async ({ client }) =>
        printFeeds(
          options.refresh
            ? await client.post('/feeds/refresh', {}, REFRESH_MS_MAX)
            : await client.get('/feeds'),
        ),
      ),
    );
}

function printFeeds(value: Record<string, unknown>): Printed {
  const rows = listIn(value, 'feeds').map(({ name, asOf, entries, triedAt, source, problem }) => [
    name,
    asOf ?? 'not loaded',
    entries ?? 0,
    triedAt ?? 'never',
    problem ?? source ?? 'set feeds in the configuration',
  ]);
  return { value, text: table(['FEED', 'AS OF', 'ENTRIES', 'LOOKED', 'SOURCE OR PROBLEM'], rows) };
}
