import type { AccessStep, Account, NewGrant } from '../auth/index.ts';
import { type Principal, parseAction } from '../roles/index.ts';
import {
  type AccessDocument,
  type DocumentGrant,
  type PresentAccess,
  toDocumentGrant,
} from './access-document.ts';
import { ApiProblem } from './operation.ts';

/** One change that a file makes, for the plan and for the record. */
export interface PlannedChange {
  readonly step: AccessStep;
  /** `user alice`, `group crew: member bob` ... */
  readonly what: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface PlanOptions {
  /** Whether what the file does not name goes away, in the lists that it has. */
  readonly isPruning: boolean;
  /** Who applies: it can neither remove nor disable itself. */
  readonly by: Principal;
  readonly nowMs: number;
  readonly newId: () => string;
}

/** A record is at most 16 KiB long. */
const NAMES_SHOWN_MAX = 100;

/** No password and no secret matches it: the account waits for one. */
const NO_SECRET = 'none';

/**
 * What has to change so that there is what the file says; nothing when it says what is there. The order is such that
 * each step finds what it refers to, and what goes away goes last.
 *
 * @throws {ApiProblem} the caller would shut itself out, or a name is given twice.
 */
export function planAccess(
  wanted: AccessDocument,
  present: PresentAccess,
  options: PlanOptions,
): readonly PlannedChange[] {
  refuseTwice(wanted);
  const accounts = (['user', 'robot'] as const).map((kind) => planAccounts(kind, wanted, present, options));
  const groups = planGroups(wanted, present, options);
  const roles = planRoles(wanted, present, options);
  const grants = planGrants(wanted, present, options);
  return [
    ...roles.sets,
    ...accounts.flatMap(({ sets }) => sets),
    ...groups.sets,
    ...grants.sets,
    ...grants.removals,
    ...groups.removals,
    ...accounts.flatMap(({ removals }) => removals),
    ...roles.removals,
  ];
}

interface Planned {
  readonly sets: readonly PlannedChange[];
  readonly removals: readonly PlannedChange[];
}

function planAccounts(
  kind: Account['kind'],
  wanted: AccessDocument,
  present: PresentAccess,
  { isPruning, by, nowMs, newId }: PlanOptions,
): Planned {
  const list:
    | readonly { name: string; disabled?: boolean | undefined; expires?: string | undefined }[]
    | undefined = kind === 'user' ? wanted.users : wanted.robots;
  if (list === undefined) return { sets: [], removals: [] };
  const known = new Map((kind === 'user' ? present.users : present.robots).map((one) => [one.name, one]));
  const isSelf = (name: string) => by.kind === kind && by.name === name;
  const sets = list.flatMap(({ name, disabled = false, expires }): PlannedChange[] => {
    const what = `${kind} ${name}`;
    const account = known.get(name);
    if (account === undefined) {
      const added: Account = {
        ...{ kind, id: newId(), name, secretHash: NO_SECRET, isDisabled: disabled },
        ...{ notBeforeMs: nowMs, createdAtMs: nowMs },
        ...(expires === undefined ? {} : { expiresAtMs: Date.parse(expires) }),
      };
      return [{ step: { do: 'account.add', account: added }, what, after: { disabled, expires } }];
    }
    if (account.isDisabled === disabled) return [];
    if (disabled && isSelf(name)) throw ownAccount(`disable ${what}`);
    const verb = disabled ? 'account.disable' : 'account.enable';
    return [
      {
        step: { do: verb, kind, name, notBeforeMs: nowMs + 1 },
        ...{ what, before: { disabled: account.isDisabled }, after: { disabled } },
      },
    ];
  });
  const names = new Set(list.map(({ name }) => name));
  const gone = isPruning ? [...known.values()].filter(({ name }) => !names.has(name)) : [];
  const removals = gone.map(({ name, isDisabled }): PlannedChange => {
    if (isSelf(name)) throw ownAccount(`remove ${kind} ${name}`);
    const step = { do: 'account.remove', kind, name } as const;
    return { step, what: `${kind} ${name}`, before: { disabled: isDisabled } };
  });
  return { sets, removals };
}

function planGroups(wanted: AccessDocument, present: PresentAccess, options: PlanOptions): Planned {
  if (wanted.groups === undefined) return { sets: [], removals: [] };
  const known = new Map(present.groups.map((group) => [group.name, group]));
  const sets = wanted.groups.flatMap(({ name, members }): PlannedChange[] => {
    const group = known.get(name);
    const added: PlannedChange[] =
      group === undefined
        ? [
            {
              step: { do: 'group.add', group: { id: options.newId(), name } },
              what: `group ${name}`,
              after: {},
            },
          ]
        : [];
    const joins = members
      .filter((user) => !group?.members.includes(user))
      .map((user): PlannedChange => ({ ...membership('group.join', name, user), after: { member: true } }));
    return [...added, ...joins];
  });
  if (!options.isPruning) return { sets, removals: [] };
  const wantedBy = new Map(wanted.groups.map((group) => [group.name, group]));
  const removals = present.groups.flatMap(({ name, members }): PlannedChange[] => {
    const group = wantedBy.get(name);
    if (group === undefined) {
      return [
        {
          step: { do: 'group.remove', name },
          what: `group ${name}`,
          before: { members: members.slice(0, NAMES_SHOWN_MAX) },
        },
      ];
    }
    return members
      .filter((user) => !group.members.includes(user))
      .map((user): PlannedChange => ({ ...membership('group.leave', name, user), before: { member: true } }));
  });
  return { sets, removals };
}

function membership(verb: 'group.join' | 'group.leave', group: string, user: string) {
  return { step: { do: verb, group, user }, what: `group ${group}: member ${user}` } as const;
}

function planRoles(wanted: AccessDocument, present: PresentAccess, { isPruning }: PlanOptions): Planned {
  if (wanted.roles === undefined) return { sets: [], removals: [] };
  const known = new Map(present.roles.map((role) => [role.name, role]));
  const sets = wanted.roles.flatMap(({ name, actions: words }): PlannedChange[] => {
    const actions = words.map(parseAction).filter((action) => action !== undefined);
    const before = known.get(name)?.actions;
    if (before && before.toSorted().join() === [...new Set(actions)].toSorted().join()) return [];
    const step = { do: 'role.put', role: { name, actions } } as const;
    return [
      { step, what: `role ${name}`, ...(before ? { before: { actions: before } } : {}), after: { actions } },
    ];
  });
  const names = new Set(wanted.roles.map(({ name }) => name));
  const gone = isPruning ? present.roles.filter(({ name, isBuiltIn }) => !isBuiltIn && !names.has(name)) : [];
  const removals = gone.map(
    ({ name, actions }): PlannedChange => ({
      ...{ step: { do: 'role.remove', name }, what: `role ${name}`, before: { actions } },
    }),
  );
  return { sets, removals };
}

function planGrants(wanted: AccessDocument, present: PresentAccess, { isPruning }: PlanOptions): Planned {
  if (wanted.grants === undefined) return { sets: [], removals: [] };
  const known = new Set(present.grants.map((grant) => keyOf(toDocumentGrant(grant))));
  const sets = wanted.grants
    .filter((grant) => !known.has(keyOf(grant)))
    .map(
      (grant): PlannedChange => ({
        ...{ step: { do: 'grant.add', grant: toNewGrant(grant) }, what: whatOf(grant), after: grant },
      }),
    );
  const named = new Set(wanted.grants.map(keyOf));
  const gone = isPruning ? present.grants.filter((grant) => !named.has(keyOf(toDocumentGrant(grant)))) : [];
  const removals = gone.map((grant): PlannedChange => {
    const before = toDocumentGrant(grant);
    return { step: { do: 'grant.remove', id: grant.id }, what: whatOf(before), before };
  });
  return { sets, removals };
}

function keyOf(grant: DocumentGrant): string {
  const { role, on, to, effect = 'allow', from, until } = grant;
  const instants = [from, until].map((text) => (text === undefined ? null : Date.parse(text)));
  return JSON.stringify([role, on, to, effect, ...instants]);
}

function toNewGrant({ role, on, to, effect = 'allow', from, until }: DocumentGrant): NewGrant {
  return {
    ...{ role, pattern: on, effect, subject: subjectOf(to) },
    ...(from === undefined ? {} : { fromMs: Date.parse(from) }),
    ...(until === undefined ? {} : { untilMs: Date.parse(until) }),
  };
}

function subjectOf(to: DocumentGrant['to']): NewGrant['subject'] {
  if (to === 'anonymous') return { kind: 'anonymous', name: '' };
  if ('user' in to) return { kind: 'user', name: to.user };
  return 'group' in to ? { kind: 'group', name: to.group } : { kind: 'robot', name: to.robot };
}

function whatOf(grant: DocumentGrant): string {
  const { kind, name } = subjectOf(grant.to);
  return `grant: ${grant.effect ?? 'allow'} ${grant.role} on ${grant.on} to ${kind}${name === '' ? '' : ` ${name}`}`;
}

/** @throws {ApiProblem} a name stands twice in its list: which of them would count? */
function refuseTwice({ users, robots, groups, roles }: AccessDocument): void {
  for (const [kind, list = []] of [
    ['user', users],
    ['robot', robots],
    ['group', groups],
    ['role', roles],
  ] as const) {
    const seen = new Set<string>();
    for (const { name } of list) {
      if (seen.has(name))
        throw new ApiProblem(400, 'DG_INPUT_INVALID', `the file names ${kind} ${name} twice`);
      seen.add(name);
    }
  }
}

function ownAccount(doing: string): ApiProblem {
  const message = `this would ${doing}, which is you: let another admin apply it`;
  return new ApiProblem(409, 'DG_OWN_ACCOUNT', message);
}
