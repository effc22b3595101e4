import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { isAccessRecord, safePrint } from '../../audit/index.ts';
import { SECOND_MS } from '../../base/index.ts';
import { type Client, listIn, ServerAway } from '../client.ts';
import { plainJson } from '../output.ts';
import { type CommandContext, type GlobalOptions, openRunningServer } from '../session.ts';

/** How long the server holds a question when there is nothing new, in seconds. */
const WAIT_SECONDS = 15;
const AWAY_MS = SECOND_MS;

type Conditions = Readonly<Record<string, string | undefined>>;

/**
 * Prints the last records and then new ones as they come, until it is ended from outside. A record has its place in
 * the log, which no restart and no rebuilt index changes: none is left out and none comes twice.
 *
 * @throws {CommandFailed} there is no server to follow, or it refuses.
 */
export async function follow(
  { requestId: _, ...conditions }: Conditions,
  limit: string,
  command: Command,
  context: CommandContext,
): Promise<never> {
  const { data, json } = command.optsWithGlobals<GlobalOptions>();
  const client = await openRunningServer({ ...(data === undefined ? {} : { data }) }, context);
  const print = (item: Record<string, unknown>) => context.output.line(printItem(item, json === true));
  const begin = await client.get('/audit/follow', conditions);
  let after = Number(begin.next);
  const known = await client.get('/audit/records', { ...conditions, limit, before: String(after + 1) });
  for (const item of listIn(known, 'records').toReversed()) print(item);
  for (;;) {
    const page = await askAgain(
      client,
      { ...conditions, after: String(after), wait: String(WAIT_SECONDS) },
      context,
    );
    for (const item of listIn(page, 'records')) print(item);
    await context.output.drained?.();
    after = Number(page.next);
  }
}

/** A server that is away comes back: it is asked until it does. */
async function askAgain(
  client: Client,
  query: Conditions,
  { output }: CommandContext,
): Promise<Record<string, unknown>> {
  for (let isTold = false; ; isTold = true) {
    try {
      return await client.get('/audit/follow', query);
    } catch (error) {
      if (!(error instanceof ServerAway)) throw error;
      if (!isTold) output.note(`${error.message}; waiting for it`);
      await sleep(AWAY_MS);
    }
  }
}

function printItem(item: Record<string, unknown>, isJson: boolean): string {
  const { record } = item;
  return isJson || !isAccessRecord(record) ? plainJson(item) : safePrint(record);
}
