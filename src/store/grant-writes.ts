import type { ExpressionBuilder } from 'kysely';
import type { GrantPlace, NewGrant } from '../auth/index.ts';
import { newId, type Random } from '../base/index.ts';
import { parsePattern } from '../oci/index.ts';
import type { Action, Grant } from '../roles/index.ts';
import { findAccountByName, selectGrants, toGrant } from './account-reads.ts';
import { StoreConflict } from './faults.ts';
import { groupId } from './group-writes.ts';
import { fromJsonText, toJsonText } from './json-text.ts';
import { quoted } from './quoted.ts';
import { inChunks } from './rows.ts';
import type { MainSql, MainTables } from './tables.ts';

export interface GrantStamp {
  readonly random: Random;
  readonly nowMs: number;
  /** Set where somebody gives it under its own rights: who, and what of the role it can give. */
  readonly given?: { readonly by: string; readonly actions: readonly Action[] };
}

/**
 * Grants that differ in effect or dates are different grants and stand beside each other. One that is there already
 * stays; what it gives at most only grows, to what its givers could give together.
 */
export async function addGrant(sql: MainSql, grant: NewGrant, stamp: GrantStamp): Promise<string> {
  const values = await toRow(sql, grant);
  const same = await sql
    .selectFrom('grants')
    .select(['id', 'actions_max'])
    .where('role', '=', values.role)
    .where('pattern', '=', values.pattern)
    .where(isOf(values))
    .where('effect', '=', values.effect)
    .where('from_ms', 'is not distinct from', values.from_ms)
    .where('until_ms', 'is not distinct from', values.until_ms)
    .executeTakeFirst();
  const { given } = stamp;
  if (same) {
    if (same.actions_max !== null) {
      const most = given && [...new Set([...fromJsonText(same.actions_max), ...given.actions])];
      const given_by = given?.by ?? null;
      await sql
        .updateTable('grants')
        .set({ actions_max: most ? toJsonText(most) : null, given_by })
        .where('id', '=', same.id)
        .execute();
    }
    return same.id;
  }
  const id = newId(stamp.random);
  await sql
    .insertInto('grants')
    .values({
      id,
      ...values,
      created_at_ms: stamp.nowMs,
      given_by: given?.by ?? null,
      actions_max: given ? toJsonText(given.actions) : null,
    })
    .execute();
  return id;
}

/** Removes every grant of the role on the pattern to the subject, whatever its effect and dates. */
export async function removeGrant(sql: MainSql, place: GrantPlace): Promise<boolean> {
  const ids = (await findGrants(sql, place)).map(({ id }) => id);
  for (const chunk of inChunks(ids)) await sql.deleteFrom('grants').where('id', 'in', chunk).execute();
  return ids.length > 0;
}

export async function findGrants(sql: MainSql, place: GrantPlace): Promise<readonly Grant[]> {
  const subject = await findSubject(sql, place.subject);
  const rows = await selectGrants(sql)
    .where('grants.role', '=', place.role)
    .where('grants.pattern', '=', place.pattern)
    .where(isOf(subject))
    .execute();
  return rows.map(toGrant);
}

async function toRow(sql: MainSql, grant: NewGrant) {
  const pattern = parsePattern(grant.pattern);
  if (!pattern.ok) throw new StoreConflict('invalid', pattern.problem);
  const role = await sql.selectFrom('roles').select('name').where('name', '=', grant.role).executeTakeFirst();
  if (!role) throw new StoreConflict('unknown', `there is no role named ${quoted(grant.role)}`);
  if (grant.fromMs !== undefined && grant.untilMs !== undefined && grant.untilMs <= grant.fromMs) {
    throw new StoreConflict('invalid', 'the grant would end before it begins');
  }
  return {
    role: grant.role,
    pattern: grant.pattern,
    ...(await findSubject(sql, grant.subject)),
    effect: grant.effect,
    from_ms: grant.fromMs ?? null,
    until_ms: grant.untilMs ?? null,
  };
}

/** Whose a grant is, by equality with what is not null: only that has an index. */
function isOf({ subject_kind, account_id, group_id }: Awaited<ReturnType<typeof findSubject>>) {
  return (eb: ExpressionBuilder<Pick<MainTables, 'grants'>, 'grants'>) =>
    eb.and({
      'grants.subject_kind': subject_kind,
      ...(account_id === null ? {} : { 'grants.account_id': account_id }),
      ...(group_id === null ? {} : { 'grants.group_id': group_id }),
    });
}

/** @throws {StoreConflict} `unknown`: nobody of this name, so the grant would wait for whoever takes it. */
async function findSubject(sql: MainSql, subject: NewGrant['subject']) {
  const base = { subject_kind: subject.kind, account_id: null, group_id: null };
  if (subject.kind === 'anonymous') return base;
  if (subject.kind === 'group') return { ...base, group_id: await groupId(sql, subject.name) };
  const account = await findAccountByName(sql, subject.kind, subject.name);
  if (!account) {
    throw new StoreConflict('unknown', `there is no ${subject.kind} named ${quoted(subject.name)}`);
  }
  return { ...base, account_id: account.id };
}
