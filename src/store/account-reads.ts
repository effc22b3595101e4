import type { Access, Account, AccountReads, RefreshToken } from '../auth/index.ts';
import { type Action, type Grant, type Principal, parseAction } from '../roles/index.ts';
import { fromJsonText, type JsonText } from './json-text.ts';
import {
  findPersonalToken,
  lastUseOf,
  listPersonalTokens,
  previousOf,
  readLiveTokens,
} from './personal-tokens.ts';
import { findProgramSignIn } from './program-sign-ins.ts';
import { readEndedSessions } from './refresh-tokens.ts';
import { optional } from './rows.ts';
import { factorOf } from './second-factors.ts';
import type { AccountsTable, MainSql, RefreshTokensTable } from './tables.ts';
import { snapshot } from './transactions.ts';

export function createAccountReads(sql: MainSql): AccountReads {
  return {
    findAccountByName: (kind, name) => findAccountByName(sql, kind, name),
    findAccountById: (id) => findAccountById(sql, id),
    // The account and its grants in one snapshot: never the grants of before with the account of after.
    readAccess: (principal) => snapshot(sql, (now) => readAccess(now, principal)),
    findRefreshToken: (id) => findRefreshToken(sql, id),
    listRefreshTokens: (accountId) => listRefreshTokens(sql, accountId),
    findProgramSignIn: (codeHash) => findProgramSignIn(sql, codeHash),
    findPersonalToken: (secretHash) => findPersonalToken(sql, secretHash),
    listPersonalTokens: (accountId) => listPersonalTokens(sql, accountId),
    async listAccounts(kind) {
      const rows = await sql
        .selectFrom('accounts')
        .selectAll()
        .where('kind', '=', kind)
        .orderBy('name')
        .execute();
      return rows.map(toAccount);
    },
    listGroups: () => snapshot(sql, listGroups),
    async listRoles() {
      const rows = await sql.selectFrom('roles').selectAll().orderBy('name').execute();
      return rows.map((row) => ({
        name: row.name,
        actions: knownActions(row.actions),
        isBuiltIn: row.is_built_in === 1,
        ...(row.needs_factor === 1 ? { needsSecondFactor: true } : {}),
      }));
    },
    async listGrants() {
      return (await selectGrants(sql).execute()).map(toGrant);
    },
  };
}

export async function findAccountById(sql: MainSql, id: string): Promise<Account | undefined> {
  const row = await sql.selectFrom('accounts').selectAll().where('id', '=', id).executeTakeFirst();
  return row && toAccount(row);
}

/** Names are found as they are written; they are unique whatever their case, so nothing else can be meant. */
export async function findAccountByName(
  sql: MainSql,
  kind: Account['kind'],
  name: string,
): Promise<Account | undefined> {
  const row = await sql
    .selectFrom('accounts')
    .selectAll()
    .where('kind', '=', kind)
    .where('name_key', '=', nameKey(name))
    .where('name', '=', name)
    .executeTakeFirst();
  return row && toAccount(row);
}

/** A name as it is compared. Forms that look alike (full width, ligatures) are one name too. */
export function nameKey(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}

function toAccount(row: AccountsTable): Account {
  return {
    kind: row.kind,
    id: row.id,
    name: row.name,
    secretHash: row.secret_hash,
    isDisabled: row.is_disabled === 1,
    notBeforeMs: row.not_before_ms,
    createdAtMs: row.created_at_ms,
    ...optional('expiresAtMs', row.expires_at_ms),
    ...previousOf(row),
    ...lastUseOf(row),
    ...factorOf(row),
  };
}

/** What decides about a principal, as one transaction sees it. */
export async function readAccess(
  sql: MainSql,
  principal: Pick<Principal, 'kind' | 'id'>,
): Promise<Access | undefined> {
  if (principal.kind === 'local') return undefined;
  if (principal.kind === 'anonymous') return readAnonymousAccess(sql);
  return readAccountAccess(sql, principal.kind, principal.id);
}

async function readAnonymousAccess(sql: MainSql): Promise<Access> {
  const rows = await selectGrants(sql).where('grants.subject_kind', '=', 'anonymous').execute();
  return { isActive: true, notBeforeMs: 0, grants: rows.map(toGrant) };
}

/** What everybody may do without a sign-in, one may who has signed in; what the anonymous are denied, only they are. */
async function readAccountAccess(
  sql: MainSql,
  kind: Account['kind'],
  id: string,
): Promise<Access | undefined> {
  const account = await sql
    .selectFrom('accounts')
    .select(['is_disabled', 'not_before_ms', 'expires_at_ms', 'second_factor'])
    .where('id', '=', id)
    .where('kind', '=', kind)
    .executeTakeFirst();
  if (!account) return undefined;
  const own = await selectGrants(sql).where('grants.account_id', '=', id).execute();
  const ofGroups = await selectGrants(sql)
    .innerJoin('group_members', 'group_members.group_id', 'grants.group_id')
    .where('group_members.account_id', '=', id)
    .execute();
  const ofEverybody = await selectGrants(sql)
    .where('grants.subject_kind', '=', 'anonymous')
    .where('grants.effect', '=', 'allow')
    .execute();
  const tokens = kind === 'user' ? await readLiveTokens(sql, id) : [];
  const endedSessions = kind === 'user' ? await readEndedSessions(sql, id) : [];
  const rows = [...own, ...ofGroups, ...ofEverybody];
  // A robot's or a token's secret cannot be guessed or said by mistake; a password can.
  const inert = kind === 'user' && account.second_factor === null ? rows.filter(needsFactor) : [];
  const inertRoles = [...new Set(inert.map(({ role }) => role))];
  return {
    isActive: account.is_disabled === 0,
    notBeforeMs: account.not_before_ms,
    ...optional('expiresAtMs', account.expires_at_ms),
    grants: rows.filter((row) => !inert.includes(row)).map(toGrant),
    ...(inertRoles.length === 0 ? {} : { inertRoles }),
    ...(tokens.length === 0 ? {} : { tokens }),
    ...(endedSessions.length === 0 ? {} : { endedSessions }),
  };
}

/** A deny holds whatever its role asks for. */
function needsFactor({ needs_factor, effect, subject_kind }: GrantRow): boolean {
  return needs_factor === 1 && effect === 'allow' && subject_kind !== 'anonymous';
}

/** Grants with what their names mean now, in the order of their ids. */
export function selectGrants(sql: MainSql) {
  return sql
    .selectFrom('grants')
    .innerJoin('roles', 'roles.name', 'grants.role')
    .leftJoin('accounts', 'accounts.id', 'grants.account_id')
    .leftJoin('groups', 'groups.id', 'grants.group_id')
    .select([
      'grants.id',
      'grants.role',
      'grants.pattern',
      'grants.subject_kind',
      'grants.account_id',
      'grants.group_id',
      'grants.effect',
      'grants.from_ms',
      'grants.until_ms',
      'grants.created_at_ms',
      'grants.given_by',
      'grants.actions_max',
      'roles.actions',
      'roles.needs_factor',
      'accounts.name as account_name',
      'groups.name as group_name',
    ])
    .orderBy('grants.id');
}

type GrantRow = Awaited<ReturnType<ReturnType<typeof selectGrants>['execute']>>[number];

export function toGrant(row: GrantRow): Grant {
  return {
    id: row.id,
    role: row.role,
    actions: actionsOf(row),
    pattern: row.pattern,
    subject: {
      kind: row.subject_kind,
      id: row.account_id ?? row.group_id ?? '',
      name: row.account_name ?? row.group_name ?? 'anonymous',
    },
    effect: row.effect,
    ...optional('fromMs', row.from_ms),
    ...optional('untilMs', row.until_ms),
    ...optional('createdAtMs', row.created_at_ms),
    ...optional('givenBy', row.given_by),
  };
}

/** A role that is widened later does not widen what somebody gave who holds less. */
function actionsOf(row: Pick<GrantRow, 'actions' | 'actions_max'>): readonly Action[] {
  const actions = knownActions(row.actions);
  if (row.actions_max === null) return actions;
  const most = fromJsonText(row.actions_max);
  return actions.filter((action) => most.includes(action));
}

/** An action that this version does not know gives nothing. */
function knownActions(text: JsonText<readonly Action[]>): readonly Action[] {
  return fromJsonText(text).filter((action) => parseAction(action) !== undefined);
}

async function findRefreshToken(sql: MainSql, id: string): Promise<RefreshToken | undefined> {
  const row = await sql.selectFrom('refresh_tokens').selectAll().where('id', '=', id).executeTakeFirst();
  return row && toRefreshToken(row);
}

async function listRefreshTokens(sql: MainSql, accountId: string): Promise<readonly RefreshToken[]> {
  const rows = await sql
    .selectFrom('refresh_tokens')
    .selectAll()
    .where('account_id', '=', accountId)
    .orderBy('last_used_at_ms', 'desc')
    .orderBy('id')
    .execute();
  return rows.map(toRefreshToken);
}

function toRefreshToken(row: RefreshTokensTable): RefreshToken {
  return {
    id: row.id,
    accountId: row.account_id,
    service: row.service,
    clientId: row.client_id,
    secretHash: row.secret_hash,
    createdAtMs: row.created_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
    ...optional('lastUsedFrom', row.last_used_from),
  };
}

async function listGroups(sql: MainSql): ReturnType<AccountReads['listGroups']> {
  const groups = await sql.selectFrom('groups').select(['id', 'name']).orderBy('name').execute();
  const members = await sql
    .selectFrom('group_members')
    .innerJoin('accounts', 'accounts.id', 'group_members.account_id')
    .select(['group_members.group_id', 'accounts.name'])
    .orderBy('accounts.name')
    .execute();
  const namesByGroup = Map.groupBy(members, (member) => member.group_id);
  return groups.map((group) => ({
    ...group,
    members: (namesByGroup.get(group.id) ?? []).map((member) => member.name),
  }));
}
