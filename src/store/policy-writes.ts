import { parsePattern } from '../oci/index.ts';
import type { Policy, Waiver } from '../policy/index.ts';
import { StoreConflict } from './faults.ts';
import { toJsonText } from './json-text.ts';
import { quoted } from './quoted.ts';
import type { MainSql } from './tables.ts';
import type { Changed } from './transactions.ts';

type Owner = 'api' | 'config' | 'shipped';

/**
 * The configuration file wins over all; the API changes all but what the file owns; what ships with a version
 * replaces only what shipped before, so it undoes nothing that anybody decided, a removal included.
 */
export async function putPolicy(sql: MainSql, policy: Policy, owner: Owner, changed: Changed): Promise<void> {
  requirePattern(policy.match.join(','));
  const known = await findOwner(sql, policy.name);
  if (owner === 'api' && known === 'config') throw configured(policy.name);
  if (owner === 'shipped' && known !== undefined && known !== 'shipped') return;
  const values = { owner, policy: toJsonText(policy) };
  await sql
    .insertInto('policies')
    .values({ name: policy.name, ...values })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
    .execute();
  changed('policies');
}

/** Leaves a row without a policy behind, owned by the API: what ships with the next version must not bring it back. */
export async function removePolicy(sql: MainSql, name: string, changed: Changed): Promise<boolean> {
  if ((await findOwner(sql, name)) === 'config') throw configured(name);
  const removed = await sql
    .updateTable('policies')
    .set({ owner: 'api', policy: null })
    .where('name', '=', name)
    .where('policy', 'is not', null)
    .executeTakeFirst();
  if (removed.numUpdatedRows === 0n) return false;
  changed('policies');
  return true;
}

export async function replaceConfigPolicies(
  sql: MainSql,
  policies: readonly Policy[],
  changed: Changed,
): Promise<void> {
  await sql.deleteFrom('policies').where('owner', '=', 'config').execute();
  for (const policy of policies) await putPolicy(sql, policy, 'config', changed);
  changed('policies');
}

export async function addWaiver(sql: MainSql, waiver: Waiver, changed: Changed): Promise<void> {
  if (waiver.pattern !== undefined) requirePattern(waiver.pattern);
  await sql
    .insertInto('waivers')
    .values({
      id: waiver.id,
      finding: waiver.finding,
      digest: waiver.digest ?? null,
      pattern: waiver.pattern ?? null,
      reason: waiver.reason,
      author: waiver.author,
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
