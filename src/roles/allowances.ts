import { matchesPattern, parsePattern, parseRepository, type Repository } from '../oci/index.ts';
import { isSystemAction } from './built-in.ts';
import { actionsOfWord, expandWords, isCatalog } from './scopes.ts';
import type { Action, Allowance, Scope } from './types.ts';

const EVERYTHING = '**';

/**
 * Whether a credential that carries only a part of its owner's rights holds this one. It never gives anything: the
 * owner's grants decide beside it.
 *
 * @param repository `undefined` for system actions, which only a part on `**` holds.
 */
export function allowsAction(
  allowances: readonly Allowance[],
  action: Action,
  repository: Repository | undefined,
): boolean {
  return allowances.some(({ actions, pattern }) => {
    if (!actions.includes(action)) return false;
    if (isSystemAction(action)) return pattern === EVERYTHING;
    const parsed = parsePattern(pattern);
    return parsed.ok && repository !== undefined && matchesPattern(parsed.pattern, repository);
  });
}

/** What is left of a token's scopes; a word stays when one of its actions does, as for grants. */
export function narrowScopes(scopes: readonly Scope[], allowances: readonly Allowance[]): readonly Scope[] {
  return scopes
    .map((scope) => ({ ...scope, actions: narrowWords(scope, allowances) }))
    .filter((scope) => scope.actions.length > 0);
}

function narrowWords(scope: Scope, allowances: readonly Allowance[]): readonly string[] {
  // The catalog shows what may be listed, each repository by itself.
  if (isCatalog(scope))
    return allowances.some(({ actions }) => actions.includes('list')) ? scope.actions : [];
  const repository = scope.type === 'repository' ? parseRepository(scope.name) : undefined;
  if (!repository) return [];
  return expandWords(scope.actions).filter((word) =>
    actionsOfWord(word).some((action) => allowsAction(allowances, action, repository)),
  );
}
