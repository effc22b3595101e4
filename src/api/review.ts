import type { LastUse } from '../audit/index.ts';
import { DAY_MS } from '../base/index.ts';
import { matchesPattern, parsePattern } from '../oci/index.ts';
import { type Action, type Grant, isLiveGrant, REPOSITORY_ACTIONS } from '../roles/index.ts';
import type { HeldShape } from './contract.ts';
import type { Holder } from './holders.ts';
import { printGrant } from './print-grant.ts';

/** Which actions a record of the access log is a use of; what is not named here and is `admin.…`: see below. */
const USES: Readonly<Record<string, readonly Action[]>> = {
  pull: ['pull', 'quarantine.read'],
  list: ['list'],
  catalog: ['list'],
  push: ['push', 'tag.create', 'tag.overwrite', 'referrers.push'],
  delete: ['delete'],
  'admin.image.scan': ['scan'],
  'admin.scan.push': ['scan'],
  'admin.image.sbom': ['verdict.read'],
  'admin.image.show': ['verdict.read'],
  'admin.image.list': ['list'],
  'admin.waiver.add': ['waive'],
  'admin.waiver.remove': ['waive'],
  'admin.grant.add': ['roles.manage', 'users.manage'],
  'admin.grant.remove': ['roles.manage', 'users.manage'],
  'admin.audit.search': ['audit.read'],
  'admin.policy.apply': ['policy.manage'],
  'admin.policy.remove': ['policy.manage'],
  'admin.status': ['system'],
};
const ADMINISTERS: readonly Action[] = ['users.manage'];
const ON_REPOSITORIES: ReadonlySet<string> = new Set<string>(REPOSITORY_ACTIONS);

/**
 * Who holds what, since when, and when it was last of use. A use counts for every grant of its principal that would
 * have allowed it: which of several it needed cannot be told.
 *
 * @param days a grant that allows and was of no use in so many days is `isUnused`.
 */
export function review(
  holders: readonly Holder[],
  uses: readonly LastUse[],
  { days, nowMs }: { readonly days: number; readonly nowMs: number },
): readonly HeldShape[] {
  const usesOf = Map.groupBy(uses, ({ principalId }) => principalId);
  return holders.flatMap(({ principal, state, held }) =>
    held.map(({ grant, by }): HeldShape => {
      const lastUsedMs = lastUse(grant, usesOf.get(principal.id) ?? []);
      return {
        kind: principal.kind,
        name: principal.name,
        state,
        by,
        grant: { ...printGrant(grant), state: stateAt(grant, nowMs) },
        actions: [...grant.actions],
        ...(lastUsedMs === undefined ? {} : { lastUsed: new Date(lastUsedMs).toISOString() }),
        isUnused: grant.effect === 'allow' && (lastUsedMs ?? 0) < nowMs - days * DAY_MS,
      };
    }),
  );
}

function lastUse(grant: Grant, uses: readonly LastUse[]): number | undefined {
  const parsed = parsePattern(grant.pattern);
  if (!parsed.ok || grant.effect === 'deny') return undefined;
  const times = uses
    .filter(({ action, repository }) => {
      const used = USES[action] ?? (action.startsWith('admin.') ? ADMINISTERS : []);
      const given = used.filter((one) => grant.actions.includes(one));
      if (repository !== '') return given.length > 0 && matchesPattern(parsed.pattern, repository);
      // Without a repository only lists and what is done over the whole installation can have been meant.
      return given.some((one) => !ON_REPOSITORIES.has(one) || one === 'list' || one === 'roles.manage');
    })
    .map(({ atMs }) => atMs);
  return times.length === 0 ? undefined : Math.max(...times);
}

function stateAt(grant: Grant, nowMs: number): HeldShape['grant']['state'] {
  if (isLiveGrant(grant, nowMs)) return 'live';
  return grant.fromMs !== undefined && nowMs < grant.fromMs ? 'not begun' : 'ended';
}
