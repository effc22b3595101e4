import type { AccessStep, Account } from '../auth/index.ts';
import { findAccountByName } from './account-reads.ts';
import { addAccount, removeAccount, setDisabled } from './account-rows.ts';
import { StoreConflict } from './faults.ts';
import { addGrant, type GrantStamp } from './grant-writes.ts';
import { addGroup, joinGroup, leaveGroup, removeGroup } from './group-writes.ts';
import { quoted } from './quoted.ts';
import { putRole, removeRole } from './role-writes.ts';
import type { MainSql } from './tables.ts';

/** Makes the steps in their order, inside one transaction of the caller: what one of them throws undoes all. */
export async function applySteps(
  sql: MainSql,
  steps: readonly AccessStep[],
  stamp: GrantStamp,
): Promise<void> {
  for (const step of steps) await applyStep(sql, step, stamp);
}

async function applyStep(sql: MainSql, step: AccessStep, stamp: GrantStamp): Promise<void> {
  switch (step.do) {
    case 'role.put':
      return putRole(sql, step.role);
    case 'role.remove':
      return removeRole(sql, step.name);
    case 'account.add':
      return addAccount(sql, step.account);
    case 'account.disable':
    case 'account.enable': {
      const id = await accountId(sql, step);
      return setDisabled(sql, id, step.do === 'account.disable', step.notBeforeMs);
    }
    case 'account.remove':
      return removeAccount(sql, await accountId(sql, step));
    case 'group.add':
      return addGroup(sql, step.group);
    case 'group.remove':
      return removeGroup(sql, step.name);
    case 'group.join':
      return joinGroup(sql, step.group, step.user);
    case 'group.leave':
      return leaveGroup(sql, step.group, step.user);
    case 'grant.add':
      await addGrant(sql, step.grant, stamp);
      return;
    case 'grant.remove':
      await sql.deleteFrom('grants').where('id', '=', step.id).execute();
      return;
  }
}

async function accountId(sql: MainSql, { kind, name }: Pick<Account, 'kind' | 'name'>): Promise<string> {
  const account = await findAccountByName(sql, kind, name);
  if (!account) throw new StoreConflict('unknown', `there is no ${kind} named ${quoted(name)}`);
  return account.id;
}
