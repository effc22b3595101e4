import type { Command } from 'commander';
import { CommandFailed, listIn } from '../client.ts';
import { table } from '../output.ts';
import { type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';

/** `webhook`: how the receivers of events are. */
export function addWebhookCommands(program: Command, context: CommandContext): void {
  const webhook = program.command('webhook').description('receivers of events about images');
  webhook
    .command('list')
    .description('what waits for each webhook, and what was given up')
    .action((_options, command: Command) =>
      withSession(command, context, async ({ client }) => printWebhooks(await client.get('/webhooks'))),
    );
  webhook
    .command('test <name>')
    .description('send one message now and say whether it was taken')
    .action((name: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const value = await client.post(`/webhooks/${encodeURIComponent(name)}/test`, {});
        if (value.isTaken !== true) throw new CommandFailed(`${name} did not take it: ${value.reason}`);
        return { value, text: `${name} took it` };
      }),
    );
}

function printWebhooks(value: Record<string, unknown>): Printed {
  const webhooks = listIn(value, 'webhooks');
  const rows = webhooks.map(({ name, host, isHealthy, waiting, dead, lastSentAt, lastError }) => [
    ...[name, host, isHealthy === true ? 'healthy' : 'FAILING', waiting, dead, lastSentAt ?? '-'],
    lastError ?? '',
  ]);
  const given = webhooks.flatMap((each) =>
    listIn(each, 'lastDead').map(({ id, event, queuedAt, attempts, reason }) => [
      ...[each.name, queuedAt, event, attempts, id, reason],
    ]),
  );
  const dead =
    given.length === 0 ? [] : ['', table(['GIVEN UP BY', 'QUEUED', 'EVENT', 'TRIES', 'ID', 'WHY'], given)];
  const headings = ['NAME', 'HOST', 'STATE', 'WAITING', 'DEAD', 'LAST SENT', 'LAST ERROR'];
  return { value, text: [table(headings, rows), ...dead].join('\n') };
}
