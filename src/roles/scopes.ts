import { parseRepository, type Repository } from '../oci/index.ts';
import type { Action, Scope } from './types.ts';

/** What a scope's word gives of our actions; always together with the grants of the moment, never alone. */
const WORDS: Readonly<Record<'pull' | 'push' | 'delete', readonly Action[]>> = {
  // Quarantine is reading too, and a signing tool's token says `pull`: without a grant of it, nothing follows.
  pull: ['pull', 'list', 'quarantine.read'],
  push: ['push', 'tag.create', 'tag.overwrite', 'referrers.push'],
  delete: ['delete'],
};
const SCOPE_WORDS = ['pull', 'push', 'delete'] as const;
export type ScopeWord = (typeof SCOPE_WORDS)[number];

// What these two let through, written out in full, still fits into a token that we accept (8 KiB).
const SCOPE_COUNT_MAX = 50;
const SCOPES_LENGTH_MAX = 2500;

export type ScopesResult =
  | { readonly ok: true; readonly scopes: readonly Scope[] }
  /** What is wrong, for a 400. */
  | { readonly ok: false; readonly problem: string };

/**
 * Reads the `scope` parameters of a token request; each may hold several scopes separated by spaces. What is well
 * formed but not ours (another type, a class as in `repository(plugin)`, a name that is no repository) is left
 * out: it would give nothing. What is not even a scope is a problem, so that nobody believes it was heard.
 *
 * @see distribution docs/content/spec/auth/scope.md; a scope is split at its first and its last colon, because a
 *   name may hold `host:port`.
 */
export function parseScopes(texts: readonly string[]): ScopesResult {
  const words = texts.flatMap((text) => text.split(' ')).filter((word) => word !== '');
  if (words.length > SCOPE_COUNT_MAX || words.join(' ').length > SCOPES_LENGTH_MAX) {
    return no(
      `ask for at most ${SCOPE_COUNT_MAX} scopes and ${SCOPES_LENGTH_MAX} characters of them at once`,
    );
  }
  const scopes: Scope[] = [];
  for (const word of words) {
    const scope = parseScope(word);
    if (!scope) return no('a scope must look like repository:team/app:pull,push');
    if (isOurs(scope)) scopes.push(scope);
  }
  return { ok: true, scopes: mergeScopes(scopes) };
}

/** `repository:team/app:pull,push`: how a scope is written in answers and challenges. */
export function printScope(scope: Scope): string {
  return `${scope.type}:${scope.name}:${scope.actions.join(',')}`;
}

/** The repository actions of a scope's words; `*` is all of them, an unknown word is nothing. */
export function scopeActions(words: readonly string[]): ReadonlySet<Action> {
  return new Set(expandWords(words).flatMap((word) => WORDS[word]));
}

/** The words that `*` stands for, unknown ones left out. */
export function expandWords(words: readonly string[]): readonly ScopeWord[] {
  return SCOPE_WORDS.filter((word) => words.includes(word) || words.includes('*'));
}

/** The actions behind one word. */
export function actionsOfWord(word: ScopeWord): readonly Action[] {
  return WORDS[word];
}

/** Whether the scopes hold the action on the repository, compared letter by letter: a name here is no pattern. */
export function scopesHold(scopes: readonly Scope[], action: Action, repository: Repository): boolean {
  return scopes.some(
    (scope) =>
      scope.type === 'repository' && scope.name === repository && scopeActions(scope.actions).has(action),
  );
}

/** Whether a caller may ask for the catalog: it still shows only what the grants of the moment let it list. */
export function holdsCatalog(scopes: readonly Scope[] | undefined): boolean {
  return scopes === undefined || scopes.some((scope) => isCatalog(scope) && scope.actions.includes('*'));
}

export function isCatalog(scope: Pick<Scope, 'type' | 'name'>): boolean {
  return scope.type === 'registry' && scope.name === 'catalog';
}

function parseScope(word: string): Scope | undefined {
  const first = word.indexOf(':');
  const last = word.lastIndexOf(':');
  if (first < 1 || last <= first + 1) return undefined;
  const actions = word
    .slice(last + 1)
    .split(',')
    .filter((action) => action !== '');
  if (actions.length === 0) return undefined;
  return { type: word.slice(0, first), name: word.slice(first + 1, last), actions };
}

/** One scope for each type and name, with the actions of all that name it. */
function mergeScopes(scopes: readonly Scope[]): readonly Scope[] {
  const merged = new Map<string, Scope>();
  for (const scope of scopes) {
    const key = `${scope.type}:${scope.name}`;
    const actions = new Set([...(merged.get(key)?.actions ?? []), ...scope.actions]);
    merged.set(key, { type: scope.type, name: scope.name, actions: [...actions] });
  }
  return [...merged.values()];
}

function isOurs(scope: Scope): boolean {
  return isCatalog(scope) || (scope.type === 'repository' && parseRepository(scope.name) !== undefined);
}

function no(problem: string): ScopesResult {
  return { ok: false, problem };
}
