import type { Account } from '../auth/index.ts';
import { nameKey } from './account-reads.ts';
import { StoreConflict } from './faults.ts';
import { quoted } from './quoted.ts';
import type { MainSql } from './tables.ts';

export async function addAccount(sql: MainSql, account: Account): Promise<void> {
  const key = nameKey(account.name);
  const twin = await sql
    .selectFrom('accounts')
    .select('id')
    .where('kind', '=', account.kind)
    .where('name_key', '=', key)
    .executeTakeFirst();
  if (twin) {
    throw new StoreConflict('taken', `there is a ${account.kind} named ${quoted(account.name)} already`);
  }
  const spent = await sql
    .selectFrom('spent_ids')
    .where('id', '=', account.id)
    .select('id')
    .executeTakeFirst();
  if (spent) throw new StoreConflict('taken', 'the id belonged to an account that was removed');
  await sql
    .insertInto('accounts')
    .values({
      id: account.id,
      kind: account.kind,
      name: account.name,
      name_key: key,
      secret_hash: account.secretHash,
      is_disabled: account.isDisabled ? 1 : 0,
      not_before_ms: account.notBeforeMs,
      created_at_ms: account.createdAtMs,
      expires_at_ms: account.expiresAtMs ?? null,
    })
    .execute();
}

/**
 * Ends what was issued before the instant: access tokens by the stamp, refresh tokens by removing them. The stamp
 * always rises, whatever the clock does: else one set back would bring dead tokens to life, and a sign-in that was
 * under way could not see by the stamp that its password was changed.
 */
export async function killTokens(sql: MainSql, id: string, notBeforeMs: number): Promise<void> {
  const account = await getAccount(sql, id);
  await sql
    .updateTable('accounts')
    .set({ not_before_ms: Math.max(account.not_before_ms + 1, notBeforeMs) })
    .where('id', '=', id)
    .execute();
  await sql.deleteFrom('refresh_tokens').where('account_id', '=', id).execute();
}

export async function getAccount(sql: MainSql, id: string) {
  const account = await sql
    .selectFrom('accounts')
    .select(['not_before_ms', 'secret_hash'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (!account) throw unknownAccount();
  return account;
}

/** Whatever was issued before is dead then, also when the account is enabled again. */
export async function setDisabled(
  sql: MainSql,
  id: string,
  isDisabled: boolean,
  notBeforeMs: number,
): Promise<void> {
  await killTokens(sql, id, notBeforeMs);
  const flag = isDisabled ? 1 : 0;
  await sql.updateTable('accounts').set({ is_disabled: flag }).where('id', '=', id).execute();
}

/** Grants, memberships and tokens go with it. */
export async function removeAccount(sql: MainSql, id: string): Promise<void> {
  const removed = await sql.deleteFrom('accounts').where('id', '=', id).executeTakeFirst();
  if (removed.numDeletedRows === 0n) throw unknownAccount();
  await sql.insertInto('spent_ids').values({ id }).execute();
}

function unknownAccount(): StoreConflict {
  return new StoreConflict('unknown', 'there is no such user or robot (any more)');
}
