import { authorize, type Grant, SYSTEM_ACTIONS } from '../roles/index.ts';
import { selectGrants, toGrant } from './account-reads.ts';
import { StoreConflict } from './faults.ts';
import type { MainSql } from './tables.ts';

/**
 * Makes a change unless it would leave nobody who may administer. Runs in the change's own transaction, so that of
 * two admins who take each other's rights at the same moment one is refused.
 *
 * @throws {StoreConflict} `last-admin`; the transaction is rolled back by it.
 */
export async function keepingAnAdmin<T>(sql: MainSql, nowMs: number, change: () => Promise<T>): Promise<T> {
  // Before the first admin is made there is none to keep.
  const hadAdmin = await hasLastingAdmin(sql, nowMs);
  const result = await change();
  if (hadAdmin && !(await hasLastingAdmin(sql, nowMs))) {
    throw new StoreConflict(
      'last-admin',
      'this would leave no user who may administer: make somebody else admin first',
    );
  }
  return result;
}

/** Whether an enabled user may do every system action, by grants that do not end. */
async function hasLastingAdmin(sql: MainSql, nowMs: number): Promise<boolean> {
  const grants = (await selectGrants(sql).execute()).map(toGrant).filter(couldMatter).map(fromNowOn);
  const holders = await holdersOf(sql, grants);
  for (const [id, held] of holders) {
    const principal = { kind: 'user', id, name: '' } as const;
    const isAdmin = SYSTEM_ACTIONS.every(
      (action) =>
        authorize({ principal, grants: held, scopes: undefined, action, repository: undefined, nowMs })
          .isAllowed,
    );
    if (isAdmin) return true;
  }
  return false;
}

function couldMatter(grant: Grant): boolean {
  const isSystem = SYSTEM_ACTIONS.some((action) => grant.actions.includes(action));
  return isSystem && (grant.effect === 'deny' || grant.untilMs === undefined);
}

/** A deny that begins later takes the last admin later: it counts as if it had begun. */
function fromNowOn(grant: Grant): Grant {
  if (grant.effect === 'allow') return grant;
  const { fromMs: _begins, ...rest } = grant;
  return rest;
}

/** Enabled users with those of the grants that they hold, themselves or by a group. */
async function holdersOf(
  sql: MainSql,
  grants: readonly Grant[],
): Promise<ReadonlyMap<string, readonly Grant[]>> {
  const users = await sql
    .selectFrom('accounts')
    .leftJoin('group_members', 'group_members.account_id', 'accounts.id')
    .select(['accounts.id', 'group_members.group_id'])
    .where('accounts.kind', '=', 'user')
    .where('accounts.is_disabled', '=', 0)
    .execute();
  const grantsBySubject = Map.groupBy(grants, (grant) => grant.subject.id);
  const held = new Map<string, Grant[]>();
  for (const { id, group_id } of users) {
    const own = held.get(id) ?? [...(grantsBySubject.get(id) ?? [])];
    if (group_id !== null) own.push(...(grantsBySubject.get(group_id) ?? []));
    held.set(id, own);
  }
  return held;
}
