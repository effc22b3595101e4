import { type Action, BUILT_IN_ROLES, parseAction } from '../roles/index.ts';
import { StoreConflict } from './faults.ts';
import { toJsonText } from './json-text.ts';
import { quoted } from './quoted.ts';
import type { MainSql } from './tables.ts';

interface RoleDefinition {
  readonly name: string;
  readonly actions: readonly Action[];
}

/** Adds a role, or replaces what one gives: everyone who was granted it has the new actions at once. */
export async function putRole(sql: MainSql, role: RoleDefinition): Promise<void> {
  refuseBuiltIn(role.name);
  const unknown = role.actions.find((action) => parseAction(action) === undefined);
  if (unknown !== undefined) throw new StoreConflict('invalid', `there is no action ${quoted(unknown)}`);
  await upsertRole(sql, role, 0);
}

export async function removeRole(sql: MainSql, name: string): Promise<void> {
  refuseBuiltIn(name);
  const grant = await sql
    .selectFrom('grants')
    .select('id')
    .where('role', '=', name)
    .limit(1)
    .executeTakeFirst();
  if (grant) {
    throw new StoreConflict(
      'in-use',
      `role ${quoted(name)} is granted to somebody: remove those grants first`,
    );
  }
  const removed = await sql.deleteFrom('roles').where('name', '=', name).executeTakeFirst();
  if (removed.numDeletedRows === 0n) {
    throw new StoreConflict('unknown', `there is no role named ${quoted(name)}`);
  }
}

/** Grants refer to roles by name, so the built-in ones have rows too; a new version may change what they give. */
export async function seedBuiltInRoles(sql: MainSql): Promise<void> {
  for (const role of BUILT_IN_ROLES) await upsertRole(sql, role, 1);
}

/** Built-in roles too: what they give stays, only for whom it counts changes. */
export async function setRoleFactor(sql: MainSql, name: string, isRequired: boolean): Promise<void> {
  const changed = await sql
    .updateTable('roles')
    .set({ needs_factor: isRequired ? 1 : 0 })
    .where('name', '=', name)
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) {
    throw new StoreConflict('unknown', `there is no role named ${quoted(name)}`);
  }
}

async function upsertRole(sql: MainSql, role: RoleDefinition, isBuiltIn: 0 | 1): Promise<void> {
  const values = { actions: toJsonText([...new Set(role.actions)]), is_built_in: isBuiltIn };
  await sql
    .insertInto('roles')
    .values({ name: role.name, ...values })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
    .execute();
}

function refuseBuiltIn(name: string): void {
  if (BUILT_IN_ROLES.some((role) => role.name === name)) {
    throw new StoreConflict('built-in', `role ${quoted(name)} is built in: define one with another name`);
  }
}
