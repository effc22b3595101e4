import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { SECOND_MS } from '../../base/index.ts';
import { asRecord } from '../client.ts';
import { withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';

/** Between two looks at how far it is. */
const EVERY_MS = SECOND_MS;

/** `audit reindex`. */
export function addReindexCommand(audit: Command, context: CommandContext): void {
  audit
    .command('reindex')
    .description('fill the search index anew from the log; the server serves and records meanwhile')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client, output }) => {
        const { records } = await client.post('/audit/reindex');
        for (;;) {
          const { indexed } = asRecord((await client.get('/status')).log);
          if (Number(indexed) >= Number(records)) break;
          output.note(`indexed ${indexed} of ${records} records`);
          await sleep(EVERY_MS);
        }
        return { value: { records }, text: `indexed ${records} records` };
      }),
    );
}
