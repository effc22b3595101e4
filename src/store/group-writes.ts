import type { Group } from '../auth/index.ts';
import { findAccountByName, nameKey } from './account-reads.ts';
import { StoreConflict } from './faults.ts';
import { quoted } from './quoted.ts';
import type { MainSql } from './tables.ts';

export async function addGroup(sql: MainSql, group: Pick<Group, 'id' | 'name'>): Promise<void> {
  const key = nameKey(group.name);
  const twin = await sql.selectFrom('groups').select('id').where('name_key', '=', key).executeTakeFirst();
  if (twin) throw new StoreConflict('taken', `there is a group named ${quoted(group.name)} already`);
  const spent = await sql.selectFrom('spent_ids').select('id').where('id', '=', group.id).executeTakeFirst();
  if (spent) throw new StoreConflict('taken', 'the id belonged to a group that was removed');
  await sql.insertInto('groups').values({ id: group.id, name: group.name, name_key: key }).execute();
}

/** Memberships and the group's grants go with it. */
export async function removeGroup(sql: MainSql, name: string): Promise<void> {
  const id = await groupId(sql, name);
  await sql.deleteFrom('groups').where('id', '=', id).execute();
  await sql.insertInto('spent_ids').values({ id }).execute();
}

/** Joining twice is joining once. */
export async function joinGroup(sql: MainSql, group: string, userName: string): Promise<void> {
  const member = { group_id: await groupId(sql, group), account_id: await userId(sql, userName) };
  await sql
    .insertInto('group_members')
    .values(member)
    // What is said here stays, whatever a directory says.
    .onConflict((conflict) => conflict.columns(['group_id', 'account_id']).doUpdateSet({ provider: null }))
    .execute();
}

/** Leaving a group that one is not in changes nothing. */
export async function leaveGroup(sql: MainSql, group: string, userName: string): Promise<void> {
  await sql
    .deleteFrom('group_members')
    .where('group_id', '=', await groupId(sql, group))
    .where('account_id', '=', await userId(sql, userName))
    .execute();
}

export async function groupId(sql: MainSql, name: string): Promise<string> {
  const row = await sql
    .selectFrom('groups')
    .select('id')
    // The key has an index; the name is exact.
    .where('name_key', '=', nameKey(name))
    .where('name', '=', name)
    .executeTakeFirst();
  if (!row) throw new StoreConflict('unknown', `there is no group named ${quoted(name)}`);
  return row.id;
}

async function userId(sql: MainSql, name: string): Promise<string> {
  const user = await findAccountByName(sql, 'user', name);
  if (!user) throw new StoreConflict('unknown', `there is no user named ${quoted(name)}`);
  return user.id;
}
