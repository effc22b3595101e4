import type { RefreshToken } from '../auth/index.ts';
import { HOUR_MS } from '../base/index.ts';
import type { MainSql } from './tables.ts';

/** A client that asks for one at every sign-in must not fill the table. */
const TOKENS_PER_ACCOUNT_MAX = 100;
const DROPPED_AT_ONCE_MAX = 1000;

/** Keeps the token; of too many, those used longest ago go, never the new one. */
export async function addRefreshToken(sql: MainSql, token: RefreshToken): Promise<void> {
  await sql
    .insertInto('refresh_tokens')
    .values({
      id: token.id,
      account_id: token.accountId,
      service: token.service,
      client_id: token.clientId,
      secret_hash: token.secretHash,
      created_at_ms: token.createdAtMs,
      last_used_at_ms: token.lastUsedAtMs,
    })
    .execute();
  const surplus = await sql
    .selectFrom('refresh_tokens')
    .select('id')
    .where('account_id', '=', token.accountId)
    .where('id', '!=', token.id)
    .orderBy('last_used_at_ms', 'desc')
    .orderBy('created_at_ms', 'desc')
    .orderBy('id')
    .limit(DROPPED_AT_ONCE_MAX)
    .offset(TOKENS_PER_ACCOUNT_MAX - 1)
    .execute();
  for (const { id } of surplus) await sql.deleteFrom('refresh_tokens').where('id', '=', id).execute();
}

/** No access token lives longer (`token.lifetime`), with room for clocks that differ. */
const REMEMBERED_MS = 2 * HOUR_MS;

/**
 * Removes a refresh token and remembers it for as long as an access token got by it could live.
 * @returns the owner; `undefined` when there was no such token.
 */
export async function endSession(sql: MainSql, id: string, nowMs: number): Promise<string | undefined> {
  const session = await sql
    .selectFrom('refresh_tokens')
    .select('account_id')
    .where('id', '=', id)
    .executeTakeFirst();
  if (!session) return undefined;
  await sql.deleteFrom('refresh_tokens').where('id', '=', id).execute();
  await sql.deleteFrom('ended_sessions').where('until_ms', '<=', nowMs).execute();
  await sql
    .insertInto('ended_sessions')
    .values({ id, account_id: session.account_id, until_ms: nowMs + REMEMBERED_MS })
    .execute();
  return session.account_id;
}

export async function readEndedSessions(sql: MainSql, accountId: string): Promise<readonly string[]> {
  const rows = await sql
    .selectFrom('ended_sessions')
    .select('id')
    .where('account_id', '=', accountId)
    .execute();
  return rows.map(({ id }) => id);
}
