import type { LastUse, LiveToken, NewLife, PersonalToken, PreviousSecret, Rotation } from '../auth/index.ts';
import { DAY_MS } from '../base/index.ts';
import { StoreConflict } from './faults.ts';
import { fromJsonText, toJsonText } from './json-text.ts';
import { quoted } from './quoted.ts';
import { optional } from './rows.ts';
import type { MainSql, PersonalTokensTable } from './tables.ts';

const TOKENS_PER_ACCOUNT_MAX = 50;
/** So long after its end a token is still listed, so that whoever looks for it learns why it stopped. */
const LISTED_AFTER_END_MS = 30 * DAY_MS;

export async function findPersonalToken(
  sql: MainSql,
  secretHash: string,
): Promise<PersonalToken | undefined> {
  const row = await sql
    .selectFrom('personal_tokens')
    .selectAll()
    .where((is) => is.or([is('secret_hash', '=', secretHash), is('previous_secret_hash', '=', secretHash)]))
    .executeTakeFirst();
  return row && toPersonalToken(row);
}

export async function listPersonalTokens(sql: MainSql, accountId: string): Promise<readonly PersonalToken[]> {
  const rows = await sql
    .selectFrom('personal_tokens')
    .selectAll()
    .where('account_id', '=', accountId)
    .orderBy('name')
    .execute();
  return rows.map(toPersonalToken);
}

/** What the account's access carries; an end that has passed is found by whoever reads it. */
export async function readLiveTokens(sql: MainSql, accountId: string): Promise<readonly LiveToken[]> {
  const rows = await sql
    .selectFrom('personal_tokens')
    .select(['id', 'allows', 'expires_at_ms'])
    .where('account_id', '=', accountId)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    allows: fromJsonText(row.allows),
    expiresAtMs: row.expires_at_ms,
  }));
}

/** @throws {StoreConflict} the name is taken, or the account has too many. */
export async function addPersonalToken(sql: MainSql, token: PersonalToken): Promise<void> {
  await sql
    .deleteFrom('personal_tokens')
    .where('account_id', '=', token.accountId)
    .where('expires_at_ms', '<', token.createdAtMs - LISTED_AFTER_END_MS)
    .execute();
  const others = await listPersonalTokens(sql, token.accountId);
  if (others.some(({ name }) => name === token.name)) {
    throw new StoreConflict('taken', `there is a token named ${quoted(token.name)} already`);
  }
  if (others.length >= TOKENS_PER_ACCOUNT_MAX) {
    throw new StoreConflict('in-use', `there are ${TOKENS_PER_ACCOUNT_MAX} tokens: revoke one first`);
  }
  await sql
    .insertInto('personal_tokens')
    .values({
      id: token.id,
      account_id: token.accountId,
      name: token.name,
      secret_hash: token.secretHash,
      allows: toJsonText(token.allows),
      created_at_ms: token.createdAtMs,
      expires_at_ms: token.expiresAtMs,
    })
    .execute();
}

/** @returns the owner. */
export async function rotatePersonalToken(
  sql: MainSql,
  id: string,
  rotation: Rotation & NewLife,
): Promise<string> {
  const row = await ownerOf(sql, id);
  await sql
    .updateTable('personal_tokens')
    .set({
      ...rotated(row.secret_hash, rotation),
      created_at_ms: rotation.createdAtMs,
      expires_at_ms: rotation.expiresAtMs,
    })
    .where('id', '=', id)
    .execute();
  return row.account_id;
}

/** The columns that a new secret changes, of a personal token and of a robot. */
export function rotated(oldHash: string, { secretHash, previousUntilMs }: Rotation) {
  return {
    secret_hash: secretHash,
    previous_secret_hash: previousUntilMs === undefined ? null : oldHash,
    previous_until_ms: previousUntilMs ?? null,
  };
}

/** @returns the owner. */
export async function removePersonalToken(sql: MainSql, id: string): Promise<string> {
  const { account_id } = await ownerOf(sql, id);
  await sql.deleteFrom('personal_tokens').where('id', '=', id).execute();
  return account_id;
}

export async function touchPersonalToken(sql: MainSql, id: string, use: LastUse): Promise<void> {
  await sql.updateTable('personal_tokens').set(used(use)).where('id', '=', id).execute();
}

/** The columns of a last use, of whatever has one. */
export function used({ atMs, from }: LastUse) {
  return { last_used_at_ms: atMs, last_used_from: from };
}

async function ownerOf(sql: MainSql, id: string) {
  const row = await sql
    .selectFrom('personal_tokens')
    .select(['account_id', 'secret_hash'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (!row) throw new StoreConflict('unknown', 'there is no such token (any more)');
  return row;
}

function toPersonalToken(row: PersonalTokensTable): PersonalToken {
  return {
    id: row.id,
    accountId: row.account_id,
    name: row.name,
    secretHash: row.secret_hash,
    ...previousOf(row),
    allows: fromJsonText(row.allows),
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    ...lastUseOf(row),
  };
}

export function previousOf(row: { previous_secret_hash: string | null; previous_until_ms: number | null }): {
  readonly previous?: PreviousSecret;
} {
  const { previous_secret_hash: secretHash, previous_until_ms: untilMs } = row;
  return secretHash === null || untilMs === null ? {} : { previous: { secretHash, untilMs } };
}

export function lastUseOf(row: { last_used_at_ms: number | null; last_used_from: string | null }): {
  readonly lastUse?: LastUse;
} {
  const lastUse =
    row.last_used_at_ms === null ? null : { atMs: row.last_used_at_ms, from: row.last_used_from ?? '' };
  return optional('lastUse', lastUse);
}
