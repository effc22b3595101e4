import type { RefreshToken } from '../auth/index.ts';
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
