import { parsePattern } from '../oci/index.ts';
import type { Policy, Waiver } from '../policy/index.ts';
import { StoreConflict } from './faults.ts';
import { toJsonText } from './json-text.ts';
import { quoted } from './quoted.ts';
import type { MainSql } from './tables.ts';
import type { Changed } from './transactions.ts';

type Owner = 'api' | 'config' | 'shipped';

/** Who makes a change, and when. */
interface Edit {
  readonly author: string;
  readonly atMs: number;
}

/**
 * The configuration file wins over all; the API changes all but what the file owns; what ships with a version
 * replaces only what shipped before, so it undoes nothing that anybody decided, a removal included.
 */
export async function putPolicy(
  sql: MainSql,
  policy: Policy,
  by: Edit & { readonly owner: Owner },
  changed: Changed,
): Promise<void> {
  requirePattern(policy.match.join(','));
  const { owner } = by;
  const known = await findOwner(sql, policy.name);
  if (owner === 'api' && known === 'config') throw configured(policy.name);
  if (owner === 'shipped' && known !== undefined && known !== 'shipped') return;
  const values = { owner, policy: toJsonText(policy) };
  await sql
    .insertInto('policies')
    .values({ name: policy.name, ...values })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
    .execute();
  await keepVersion(sql, policy.name, policy, by);
  changed('policies');
}

/** Leaves a row without a policy behind, owned by the API: what ships with the next version must not bring it back. */
export async function removePolicy(sql: MainSql, name: string, by: Edit, changed: Changed): Promise<boolean> {
  if ((await findOwner(sql, name)) === 'config') throw configured(name);
  const removed = await sql
    .updateTable('policies')
    .set({ owner: 'api', policy: null })
    .where('name', '=', name)
    .where('policy', 'is not', null)
    .executeTakeFirst();
  if (removed.numUpdatedRows === 0n) return false;
  await keepVersion(sql, name, undefined, by);
  changed('policies');
  return true;
}

export async function replaceConfigPolicies(
  sql: MainSql,
  policies: readonly Policy[],
  atMs: number,
  changed: Changed,
): Promise<void> {
  const by = { owner: 'config', author: 'config', atMs } as const;
  const owned = await sql.selectFrom('policies').select('name').where('owner', '=', 'config').execute();
  await sql.deleteFrom('policies').where('owner', '=', 'config').execute();
  for (const policy of policies) await putPolicy(sql, policy, by, changed);
  for (const { name } of owned) {
    if (!policies.some((policy) => policy.name === name)) await keepVersion(sql, name, undefined, by);
  }
  changed('policies');
}

/** A policy that is set again as it was, as at every start, makes no new version. */
async function keepVersion(sql: MainSql, name: string, policy: Policy | undefined, by: Edit): Promise<void> {
  const newest = await sql
    .selectFrom('policy_versions')
    .select(['version', 'policy'])
    .where('name', '=', name)
    .orderBy('version', 'desc')
    .executeTakeFirst();
  const text = policy ? toJsonText(policy) : null;
  if (newest && newest.policy === text) return;
  await sql
    .insertInto('policy_versions')
    .values({
      name,
      version: (newest?.version ?? 0) + 1,
      at_ms: by.atMs,
      author: by.author,
      policy: text,
    })
    .execute();
}

export async function addWaiver(sql: MainSql, waiver: Waiver, changed: Changed): Promise<void> {
  if (waiver.pattern !== undefined) requirePattern(waiver.pattern);
  await sql
    .insertInto('waivers')
    .values({
      id: waiver.id,
      finding: waiver.finding ?? null,
      rule: waiver.rule ?? null,
      package: waiver.package ?? null,
      digest: waiver.digest ?? null,
      pattern: waiver.pattern ?? null,
      reason: waiver.reason,
      ticket: waiver.ticket ?? null,
      author: waiver.author,
      approved_by: waiver.approvedBy ?? null,
      ends_at_ms: waiver.endsAtMs,
    })
    .execute();
  changed('policies');
}

async function findOwner(sql: MainSql, name: string): Promise<Owner | undefined> {
  const row = await sql.selectFrom('policies').select('owner').where('name', '=', name).executeTakeFirst();
  return row?.owner;
}

function requirePattern(text: string): void {
  const pattern = parsePattern(text);
  if (!pattern.ok) throw new StoreConflict('invalid', pattern.problem);
}

function configured(name: string): StoreConflict {
  return new StoreConflict(
    'configured',
    `policy ${quoted(name)} is owned by the configuration file: change it there`,
  );
}
