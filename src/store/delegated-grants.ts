import type { Access, GrantPlace, NewGrant } from '../auth/index.ts';
import type { Random } from '../base/index.ts';
import { type Action, delegate, type Grant, type Principal } from '../roles/index.ts';
import { readAccess } from './account-reads.ts';
import { StoreConflict } from './faults.ts';
import { addGrant, findGrants, removeGrant } from './grant-writes.ts';
import { fromJsonText } from './json-text.ts';
import type { MainSql } from './tables.ts';

/**
 * Adds a grant under the giver's own rights. They are read in the same transaction: a right that was taken a moment
 * ago gives nothing any more. What the role gains later is not given along, since the giver may not hold it.
 *
 * @throws {StoreConflict} `beyond`: the giver does not hold all of it.
 */
export async function giveGrant(
  sql: MainSql,
  giver: Principal,
  grant: NewGrant,
  stamp: { readonly random: Random; readonly nowMs: number },
): Promise<string> {
  const actions = await roleActions(sql, grant.role);
  await requireDelegable(sql, giver, [{ ...grant, actions }], stamp.nowMs);
  return addGrant(sql, grant, { ...stamp, given: { by: giver.name, actions } });
}

/** Removes what the giver could have given itself. @throws {StoreConflict} `beyond`, for one of them or all. */
export async function takeGrant(
  sql: MainSql,
  giver: Principal,
  place: GrantPlace,
  nowMs: number,
): Promise<boolean> {
  await requireDelegable(sql, giver, await findGrants(sql, place), nowMs);
  return removeGrant(sql, place);
}

async function requireDelegable(
  sql: MainSql,
  giver: Principal,
  grants: readonly Pick<Grant, 'actions' | 'pattern' | 'effect' | 'untilMs'>[],
  nowMs: number,
): Promise<void> {
  const access = await readAccess(sql, giver);
  const held = access && isActive(access, nowMs) ? access.grants : [];
  for (const grant of grants) {
    const answer = delegate({ held, grant, nowMs });
    if (!answer.isAllowed) throw new StoreConflict('beyond', answer.lacks);
  }
}

function isActive({ isActive, expiresAtMs }: Access, nowMs: number): boolean {
  return isActive && (expiresAtMs === undefined || nowMs < expiresAtMs);
}

async function roleActions(sql: MainSql, name: string): Promise<readonly Action[]> {
  const role = await sql.selectFrom('roles').select('actions').where('name', '=', name).executeTakeFirst();
  // That the role is not there is said by whoever writes the grant.
  return role ? fromJsonText(role.actions) : [];
}
