import { matchesPattern, type Repository } from '../oci/index.ts';
import { isSystemAction } from './built-in.ts';
import { grantsThatMayCover, type ReadGrant } from './grant-index.ts';
import { scopesHold } from './scopes.ts';
import type { Action, Authorization, AuthorizeRequest, Grant } from './types.ts';

const EVERYTHING = '**';

/**
 * Decides whether the principal may do the action now. A deny grant wins over every other, whatever the order; a
 * grant holds from `fromMs` until just before `untilMs`; a token can only narrow. Of several grants that decide
 * alike, the one with the smallest id is named, so that the same question always gets the same answer.
 */
export function authorize(request: AuthorizeRequest): Authorization {
  if (request.principal.kind === 'local') return { isAllowed: true, because: 'local' };
  const denied = firstGrant(request, 'deny');
  if (denied) return { isAllowed: false, lacks: 'denied', because: denied };
  const allowed = firstGrant(request, 'allow');
  if (!allowed) return { isAllowed: false, lacks: 'grant' };
  if (!isInScope(request)) return { isAllowed: false, lacks: 'scope', because: allowed };
  return { isAllowed: true, because: allowed };
}

export type GrantState = 'live' | 'ended' | 'not begun';

/** Every grant that speaks of the action there, live or not, in the order of their ids. */
export function grantsAbout(
  question: Pick<AuthorizeRequest, 'grants' | 'action' | 'repository' | 'nowMs'>,
): readonly { readonly grant: Grant; readonly state: GrantState }[] {
  const { action, repository, nowMs } = question;
  return grantsThatMayCover(question.grants, repository)
    .flat()
    .filter((read) => read.grant.actions.includes(action) && covers(read, action, repository))
    .map(({ grant }) => ({ grant, state: stateOf(grant, nowMs) }))
    .toSorted((a, b) => (a.grant.id < b.grant.id ? -1 : 1));
}

function stateOf(grant: Grant, nowMs: number): GrantState {
  if (isLiveGrant(grant, nowMs)) return 'live';
  return grant.fromMs !== undefined && nowMs < grant.fromMs ? 'not begun' : 'ended';
}

/** Half-open: at `untilMs` itself the grant is over. */
export function isLiveGrant(grant: Grant, nowMs: number): boolean {
  return (
    (grant.fromMs === undefined || grant.fromMs <= nowMs) &&
    (grant.untilMs === undefined || nowMs < grant.untilMs)
  );
}

function firstGrant(request: AuthorizeRequest, effect: Grant['effect']): Grant | undefined {
  let first: Grant | undefined;
  for (const some of grantsThatMayCover(request.grants, request.repository)) {
    for (const read of some) {
      const { grant } = read;
      if (grant.effect !== effect || !isLiveGrant(grant, request.nowMs)) continue;
      if (!grant.actions.includes(request.action) || !covers(read, request.action, request.repository))
        continue;
      if (first === undefined || grant.id < first.id) first = grant;
    }
  }
  return first;
}

function covers({ grant, pattern }: ReadGrant, action: Action, repository: Repository | undefined): boolean {
  // Unreadable can only be what was written past our checks: it must not allow anything, and not stop denying.
  if (!pattern.ok) return grant.effect === 'deny';
  if (isSystemAction(action)) return grant.pattern === EVERYTHING;
  return repository !== undefined && matchesPattern(pattern.pattern, repository);
}

/** A registry token never reaches a system action: none of its words mean one. */
function isInScope(request: AuthorizeRequest): boolean {
  if (request.scopes === undefined) return true;
  return request.repository !== undefined && scopesHold(request.scopes, request.action, request.repository);
}
