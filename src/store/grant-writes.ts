import type { NewGrant } from '../auth/index.ts';
import { newId, type Random } from '../base/index.ts';
import { parsePattern } from '../oci/index.ts';
import { findAccountByName } from './account-reads.ts';
import { StoreConflict } from './faults.ts';
import { groupId } from './group-writes.ts';
import { quoted } from './quoted.ts';
import type { MainSql } from './tables.ts';

/** Grants that differ in effect or dates are different grants and stand beside each other. */
export async function addGrant(sql: MainSql, grant: NewGrant, random: Random): Promise<string> {
  const values = await toRow(sql, grant);
  const same = await sql
    .selectFrom('grants')
    .select('id')
    .where('role', '=', values.role)
    .where('pattern', '=', values.pattern)
    .where('subject_kind', '=', values.subject_kind)
    .where('account_id', 'is not distinct from', values.account_id)
    .where('group_id', 'is not distinct from', values.group_id)
    .where('effect', '=', values.effect)
    .where('from_ms', 'is not distinct from', values.from_ms)
    .where('until_ms', 'is not distinct from', values.until_ms)
    .executeTakeFirst();
  if (same) return same.id;
  const id = newId(random);
  await sql
    .insertInto('grants')
    .values({ id, ...values })
    .execute();
  return id;
}

/** Removes every grant of the role on the pattern to the subject, whatever its effect and dates. */
export async function removeGrant(
  sql: MainSql,
  grant: Pick<NewGrant, 'role' | 'pattern' | 'subject'>,
): Promise<boolean> {
  const subject = await findSubject(sql, grant.subject);
  const removed = await sql
    .deleteFrom('grants')
    .where('role', '=', grant.role)
    .where('pattern', '=', grant.pattern)
    .where('subject_kind', '=', subject.subject_kind)
    .where('account_id', 'is not distinct from', subject.account_id)
    .where('group_id', 'is not distinct from', subject.group_id)
    .executeTakeFirst();
  return removed.numDeletedRows > 0n;
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
