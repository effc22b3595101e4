import type { Account, Group } from '../auth/index.ts';
import type { Grant, Principal } from '../roles/index.ts';
import type { OperationContext } from './operation.ts';

/** A principal with everything it holds, itself, by its groups and as everybody. */
export interface Holder {
  readonly principal: Principal;
  readonly state: 'active' | 'disabled' | 'expired';
  readonly held: readonly { readonly grant: Grant; readonly by: string }[];
}

/** Every user, every robot and the anonymous, with what each holds, in the order of kinds and names. */
export async function readHolders({ parts }: OperationContext): Promise<readonly Holder[]> {
  const { accounts, clock } = parts;
  const [users, robots, groups, grants] = await Promise.all([
    accounts.listAccounts('user'),
    accounts.listAccounts('robot'),
    accounts.listGroups(),
    accounts.listGrants(),
  ]);
  const bySubject = Map.groupBy(grants, ({ subject }) => keyOf(subject));
  const ofEverybody = bySubject.get(ANONYMOUS_KEY) ?? [];
  const forEverybody = ofEverybody.filter(({ effect }) => effect === 'allow');
  const groupsOf = groupsByMember(groups);
  const holders = [...users, ...robots].map((account): Holder => {
    const own = (bySubject.get(keyOf(account)) ?? []).map((grant) => ({ grant, by: 'itself' }));
    const byGroups = (account.kind === 'user' ? (groupsOf.get(account.name) ?? []) : []).flatMap((group) =>
      (bySubject.get(keyOf({ kind: 'group', id: group.id })) ?? []).map((grant) => ({
        grant,
        by: `group ${group.name}`,
      })),
    );
    const asEverybody = forEverybody.map((grant) => ({ grant, by: 'everybody' }));
    const { kind, id, name } = account;
    return {
      principal: { kind, id, name },
      state: stateOf(account, clock.nowMs()),
      held: [...own, ...byGroups, ...asEverybody],
    };
  });
  const anonymous: Holder = {
    principal: { kind: 'anonymous', id: '', name: 'anonymous' },
    state: 'active',
    held: ofEverybody.map((grant) => ({ grant, by: 'itself' })),
  };
  return [...holders, anonymous];
}

const ANONYMOUS_KEY = keyOf({ kind: 'anonymous', id: '' });

function keyOf({ kind, id }: { readonly kind: string; readonly id: string }): string {
  return `${kind}:${id}`;
}

function groupsByMember(groups: readonly Group[]): ReadonlyMap<string, readonly Group[]> {
  const of = new Map<string, Group[]>();
  for (const group of groups) {
    for (const member of group.members) of.set(member, [...(of.get(member) ?? []), group]);
  }
  return of;
}

function stateOf({ isDisabled, expiresAtMs }: Account, nowMs: number): Holder['state'] {
  if (isDisabled) return 'disabled';
  return expiresAtMs !== undefined && expiresAtMs <= nowMs ? 'expired' : 'active';
}
