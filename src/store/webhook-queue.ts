import { DAY_MS } from '../base/index.ts';
import type { Message, NewMessage, Noticed, Place, TakenMessage, WebhookQueue } from '../webhooks/index.ts';
import { clampLimit, inChunks } from './rows.ts';
import type { MainSql, MainTables } from './tables.ts';
import type { Write } from './transactions.ts';
import { listScanNews } from './webhook-news.ts';

/** Dead messages of one webhook that are kept to be looked at. */
const DEAD_KEPT = 1000;
/** An image that nobody was served for so long is watched no more. */
const ADMITTED_MS = 30 * DAY_MS;

/** The queue has one user, which also writes it; so it reads in the writer's turn. */
export function createWebhookQueue(
  write: Write<MainTables>,
  { webhookMessagesMax = 10_000 }: { readonly webhookMessagesMax?: number } = {},
): WebhookQueue {
  return {
    findCursor: (node) =>
      write(async (sql) => {
        const row = await sql
          .selectFrom('webhook_cursors')
          .select('next')
          .where('node', '=', node)
          .executeTakeFirst();
        return row?.next;
      }),
    listScanNews: (limit) => write((sql) => listScanNews(sql, clampLimit(limit))),
    notice: (noticed, nowMs) =>
      write((sql) => notice(sql, noticed, { nowMs, waitingMax: webhookMessagesMax })),
    listAdmitted: (after, limit) => write((sql) => listAdmitted(sql, after, clampLimit(limit))),
    take: (webhook, nowMs, leaseMs) => write((sql) => take(sql, webhook, { nowMs, leaseMs })),
    finish: (message) =>
      write(async (sql) => {
        await sql
          .deleteFrom('webhook_messages')
          .where('webhook', '=', message.webhook)
          .where('id', '=', message.id)
          .execute();
      }),
    retry: (message, { notBeforeMs, reason }) =>
      write(async (sql) => {
        await sql
          .updateTable('webhook_messages')
          .set(({ eb }) => ({
            held_until_ms: 0,
            not_before_ms: notBeforeMs,
            reason,
            attempts: eb('attempts', '+', 1),
          }))
          .where('webhook', '=', message.webhook)
          .where('id', '=', message.id)
          .execute();
      }),
    bury: (message, reason) => write((sql) => bury(sql, message, reason)),
    counts: () => write(counts),
    listDead: (webhook, limit) => write((sql) => listDead(sql, webhook, clampLimit(limit))),
    sweep: (webhooks, nowMs) => write((sql) => sweep(sql, webhooks, nowMs)),
  };
}

async function notice(sql: MainSql, noticed: Noticed, now: Now): Promise<number> {
  const { cursor, messages, told = [], admitted = [], refused = [] } = noticed;
  const { nowMs } = now;
  let count = 0;
  for (const message of messages) if (await queue(sql, message, now)) count += 1;
  for (const { digest, by, atMs } of told) {
    // A newer scan of the same is another piece of news.
    await sql
      .deleteFrom('webhook_news')
      .where('digest', '=', digest)
      .where('scanner', '=', by)
      .where('at_ms', '=', atMs)
      .execute();
  }
  for (const { repository, digest } of admitted) {
    await sql
      .insertInto('webhook_admitted')
      .values({ repository, digest, at_ms: nowMs })
      .onConflict((conflict) => conflict.columns(['repository', 'digest']).doUpdateSet({ at_ms: nowMs }))
      .execute();
  }
  for (const { repository, digest } of refused) {
    await sql
      .deleteFrom('webhook_admitted')
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .execute();
  }
  if (cursor) {
    const { node, next } = cursor;
    await sql
      .insertInto('webhook_cursors')
      .values({ node, next })
      .onConflict((conflict) => conflict.column('node').doUpdateSet({ next }))
      .execute();
  }
  return count;
}

interface Now {
  readonly nowMs: number;
  /** Messages that may wait for one webhook; what comes then is dead at once, and counted. */
  readonly waitingMax: number;
}

/** @returns whether it waits now. */
async function queue(sql: MainSql, message: NewMessage, { nowMs, waitingMax }: Now): Promise<boolean> {
  const { webhook, id, event, body, once } = message;
  if (once && !(await mayBeSaid(sql, once, nowMs))) return false;
  const of = sql.selectFrom('webhook_messages').where('webhook', '=', webhook);
  const { last } = await of.select(({ fn }) => fn.max('place').as('last')).executeTakeFirstOrThrow();
  const waiting = await of
    .where('is_dead', '=', 0)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  const isFull = Number(waiting.count) >= waitingMax;
  await sql
    .insertInto('webhook_messages')
    .values({
      ...{ webhook, id, event, body, place: Number(last ?? 0) + 1, queued_at_ms: nowMs },
      ...{ attempts: 0, not_before_ms: 0, held_until_ms: 0, is_dead: 0, reason: null },
    })
    .onConflict((conflict) => conflict.columns(['webhook', 'id']).doNothing())
    .execute();
  if (isFull) await bury(sql, message, `${waitingMax} messages waited before it`);
  return !isFull;
}

async function mayBeSaid(
  sql: MainSql,
  { key, untilMs }: { readonly key: string; readonly untilMs: number },
  nowMs: number,
): Promise<boolean> {
  const said = await sql
    .selectFrom('webhook_said')
    .select('until_ms')
    .where('message_key', '=', key)
    .executeTakeFirst();
  if (said && nowMs < said.until_ms) return false;
  await sql
    .insertInto('webhook_said')
    .values({ message_key: key, until_ms: untilMs })
    .onConflict((conflict) => conflict.column('message_key').doUpdateSet({ until_ms: untilMs }))
    .execute();
  return true;
}

async function listAdmitted(
  sql: MainSql,
  after: Place | undefined,
  limit: number,
): Promise<readonly Place[]> {
  let query = sql.selectFrom('webhook_admitted').select(['repository', 'digest']);
  if (after) {
    query = query.where(({ eb, or, and }) =>
      or([
        eb('repository', '>', after.repository),
        and([eb('repository', '=', after.repository), eb('digest', '>', after.digest)]),
      ]),
    );
  }
  const rows = await query.orderBy('repository').orderBy('digest').limit(limit).execute();
  return rows.map((row) => ({ ...row }));
}

/** Only the oldest is looked at: while it is held or waits for its next try, so does everything behind it. */
async function take(
  sql: MainSql,
  webhook: string,
  { nowMs, leaseMs }: { readonly nowMs: number; readonly leaseMs: number },
): Promise<TakenMessage | undefined> {
  const row = await sql
    .selectFrom('webhook_messages')
    .selectAll()
    .where('webhook', '=', webhook)
    .where('is_dead', '=', 0)
    .orderBy('place')
    .limit(1)
    .executeTakeFirst();
  if (!row || nowMs < row.not_before_ms || nowMs < row.held_until_ms) return undefined;
  await sql
    .updateTable('webhook_messages')
    .set({ held_until_ms: nowMs + leaseMs })
    .where('webhook', '=', webhook)
    .where('id', '=', row.id)
    .execute();
  const { id, event, body, attempts } = row;
  return { id, webhook, event, body, attempts, queuedAtMs: row.queued_at_ms };
}

async function bury(sql: MainSql, { webhook, id }: Message, reason: string): Promise<void> {
  await sql
    .updateTable('webhook_messages')
    .set(({ eb }) => ({ is_dead: 1 as const, held_until_ms: 0, reason, attempts: eb('attempts', '+', 1) }))
    .where('webhook', '=', webhook)
    .where('id', '=', id)
    .execute();
  const oldest = await sql
    .selectFrom('webhook_messages')
    .select('place')
    .where('webhook', '=', webhook)
    .where('is_dead', '=', 1)
    .orderBy('place', 'desc')
    .offset(DEAD_KEPT)
    .limit(1)
    .executeTakeFirst();
  if (!oldest) return;
  await sql
    .deleteFrom('webhook_messages')
    .where('webhook', '=', webhook)
    .where('is_dead', '=', 1)
    .where('place', '<=', oldest.place)
    .execute();
}

async function counts(sql: MainSql): ReturnType<WebhookQueue['counts']> {
  const rows = await sql
    .selectFrom('webhook_messages')
    .select(({ fn }) => ['webhook', 'is_dead', fn.countAll<number>().as('count')])
    .groupBy(['webhook', 'is_dead'])
    .orderBy('webhook')
    .execute();
  const of = (webhook: string, isDead: number): number =>
    Number(rows.find((row) => row.webhook === webhook && row.is_dead === isDead)?.count ?? 0);
  const webhooks = [...new Set(rows.map(({ webhook }) => webhook))];
  return webhooks.map((webhook) => ({ webhook, waiting: of(webhook, 0), dead: of(webhook, 1) }));
}

async function listDead(sql: MainSql, webhook: string, limit: number): ReturnType<WebhookQueue['listDead']> {
  const rows = await sql
    .selectFrom('webhook_messages')
    .select(['id', 'event', 'queued_at_ms', 'attempts', 'reason'])
    .where('webhook', '=', webhook)
    .where('is_dead', '=', 1)
    .orderBy('place', 'desc')
    .limit(limit)
    .execute();
  return rows.map(({ id, event, queued_at_ms, attempts, reason }) => ({
    ...{ id, webhook, event, attempts, queuedAtMs: queued_at_ms, reason: reason ?? '' },
  }));
}

async function sweep(sql: MainSql, webhooks: readonly string[], nowMs: number): Promise<void> {
  await sql.deleteFrom('webhook_said').where('until_ms', '<=', nowMs).execute();
  await sql
    .deleteFrom('webhook_admitted')
    .where('at_ms', '<', nowMs - ADMITTED_MS)
    .execute();
  const rows = await sql.selectFrom('webhook_messages').select('webhook').distinct().execute();
  const gone = rows.map(({ webhook }) => webhook).filter((webhook) => !webhooks.includes(webhook));
  for (const chunk of inChunks(gone)) {
    await sql.deleteFrom('webhook_messages').where('webhook', 'in', chunk).execute();
  }
}
