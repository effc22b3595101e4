import { parseRepository } from '../oci/index.ts';
import { authorize, isLiveGrant } from './authorize.ts';
import { actionsOfWord, expandWords, isCatalog, type ScopeWord } from './scopes.ts';
import type { Grant, Principal, Scope } from './types.ts';

export interface GrantScopesRequest {
  readonly principal: Principal;
  /** As parseScopes returns them. */
  readonly requested: readonly Scope[];
  readonly grants: readonly Grant[];
  readonly nowMs: number;
}

/**
 * What a token may hold of what was asked: the intersection with the grants of the moment. `*` on a repository is
 * written out. A word stays when the grants give at least one of its actions; which of them, is decided at each
 * request. Scopes of which nothing is left are dropped.
 *
 * @see distribution docs/content/spec/auth/token.md: fewer actions than asked is success.
 */
export function grantScopes(request: GrantScopesRequest): readonly Scope[] {
  return request.requested
    .map((scope) => ({ ...scope, actions: grantedWords(scope, request) }))
    .filter((scope) => scope.actions.length > 0);
}

function grantedWords(scope: Scope, request: GrantScopesRequest): readonly string[] {
  if (isCatalog(scope)) return scope.actions.includes('*') && mayListSomething(request) ? ['*'] : [];
  const repository = scope.type === 'repository' ? parseRepository(scope.name) : undefined;
  if (!repository) return [];
  const { principal, grants, nowMs } = request;
  const isGranted = (word: ScopeWord) =>
    actionsOfWord(word).some(
      (action) => authorize({ principal, grants, scopes: undefined, action, repository, nowMs }).isAllowed,
    );
  return expandWords(scope.actions).filter(isGranted);
}

/** The catalog is filtered one by one later; here it is enough that it could show something. */
function mayListSomething({ principal, grants, nowMs }: GrantScopesRequest): boolean {
  return (
    principal.kind === 'local' ||
    grants.some(
      (grant) => grant.effect === 'allow' && grant.actions.includes('list') && isLiveGrant(grant, nowMs),
    )
  );
}
