import { type Account, type ExternalSignIn, externalHash } from '../auth/index.ts';
import { findAccountById, nameKey } from './account-reads.ts';
import { getAccount } from './account-rows.ts';
import { StoreConflict } from './faults.ts';
import { quoted } from './quoted.ts';
import type { MainSql } from './tables.ts';

/** @param add makes an account, by the rules for all accounts. */
export async function signInExternal(
  sql: MainSql,
  signIn: ExternalSignIn,
  add: (account: Account) => Promise<void>,
): Promise<Account> {
  const account = (await findKnown(sql, signIn)) ?? (await makeAccount(sql, signIn, add));
  await sql
    .updateTable('accounts')
    .set({ expires_at_ms: signIn.expiresAtMs })
    .where('id', '=', account.id)
    .execute();
  await syncGroups(sql, account.id, signIn);
  return { ...account, expiresAtMs: signIn.expiresAtMs };
}

async function findKnown(
  sql: MainSql,
  { provider, subject, name, keepsName }: ExternalSignIn,
): Promise<Account | undefined> {
  const row = await sql
    .selectFrom('external_identities')
    .select('account_id')
    .where('provider', '=', provider)
    .where('subject', '=', subject)
    .executeTakeFirst();
  const account = row && (await findAccountById(sql, row.account_id));
  if (account && account.name !== name && keepsName !== true) {
    throw new StoreConflict('taken', `this person is ${quoted(account.name)} here: sign in by that name`);
  }
  return account;
}

/**
 * A name that somebody has here already is not handed over to whoever has it in another directory: like every account,
 * it is added only where its name is free.
 */
async function makeAccount(
  sql: MainSql,
  { provider, subject, name, newId, nowMs, expiresAtMs }: ExternalSignIn,
  add: (account: Account) => Promise<void>,
): Promise<Account> {
  const account: Account = {
    kind: 'user',
    id: newId,
    name,
    secretHash: externalHash(provider),
    isDisabled: false,
    notBeforeMs: nowMs,
    createdAtMs: nowMs,
    expiresAtMs,
  };
  await add(account);
  await sql.insertInto('external_identities').values({ provider, subject, account_id: newId }).execute();
  return account;
}

async function syncGroups(
  sql: MainSql,
  accountId: string,
  { provider, groups }: ExternalSignIn,
): Promise<void> {
  const said = new Set(groups.map(nameKey));
  const known = await sql.selectFrom('groups').select(['id', 'name_key']).execute();
  const wanted = known.filter(({ name_key }) => said.has(name_key)).map(({ id }) => id);
  const gone = sql
    .deleteFrom('group_members')
    .where('account_id', '=', accountId)
    .where('provider', '=', provider);
  await (wanted.length === 0 ? gone : gone.where('group_id', 'not in', wanted)).execute();
  for (const group_id of wanted) {
    await sql
      .insertInto('group_members')
      .values({ group_id, account_id: accountId, provider })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** A password set here would take the person out of the other directory's hands. @throws {StoreConflict} */
export async function refuseExternal(sql: MainSql, id: string): Promise<void> {
  const { secret_hash } = await getAccount(sql, id);
  if (!secret_hash.startsWith(externalHash(''))) return;
  throw new StoreConflict(
    'configured',
    'the password of this person is in another directory: change it there',
  );
}
