import { findUncovered, type Pattern, parsePattern } from '../oci/index.ts';
import { isSystemAction } from './built-in.ts';
import type { Action, Grant } from './types.ts';

export interface DelegationRequest {
  /** Every grant of whoever gives and of its groups, as they are now. */
  readonly held: readonly Grant[];
  /** What is to be given, or taken away. `actions` are those of the role. */
  readonly grant: Pick<Grant, 'actions' | 'pattern' | 'effect' | 'untilMs'>;
  readonly nowMs: number;
}

export type Delegation =
  | { readonly isAllowed: true }
  /** What is missing, as the end of a sentence: `you do not hold push on team/x`. */
  | { readonly isAllowed: false; readonly lacks: string };

/**
 * Whether somebody without `users.manage` may give this grant (or take it away again): for every action of the role,
 * and for `roles.manage`, what it holds now and until the grant ends must cover the whole pattern, less everything
 * that is or will be denied to it. Rights over the installation and deny grants are never given this way: the first
 * have no pattern of one's own, and taking a deny away would give what somebody above has taken.
 */
export function delegate({ held, grant, nowMs }: DelegationRequest): Delegation {
  if (grant.effect === 'deny') return no('only who holds users.manage adds or removes grants that deny');
  const system = grant.actions.find(isSystemAction);
  if (system !== undefined) return no(`only who holds users.manage gives or takes ${system}`);
  const wanted = parsePattern(grant.pattern);
  if (!wanted.ok) return no(wanted.problem);
  const endsMs = grant.untilMs ?? Number.POSITIVE_INFINITY;
  const known = new Map<string, string | undefined>();
  for (const action of new Set<Action>(['roles.manage', ...grant.actions])) {
    const relevant = held.filter((one) => one.actions.includes(action) && matters(one, { nowMs, endsMs }));
    // Actions that the same grants give are compared once.
    const key = relevant.map(({ id }) => id).join();
    const name = known.has(key) ? known.get(key) : uncovered(wanted.pattern, relevant);
    known.set(key, name);
    if (name !== undefined) {
      const until = grant.untilMs === undefined ? 'without an end' : `until ${instant(grant.untilMs)}`;
      return no(`you do not hold ${action} on ${name} ${until}, so you cannot give or take it there`);
    }
  }
  return { isAllowed: true };
}

/** Whether any live grant lets its holder manage grants at all. */
export function managesGrants(held: readonly Grant[], nowMs: number): boolean {
  return held.some(
    (one) =>
      one.effect === 'allow' &&
      one.actions.includes('roles.manage') &&
      matters(one, { nowMs, endsMs: nowMs }),
  );
}

/** What is held counts from now to the end of what is given; a deny counts also when it has not begun. */
function matters(grant: Grant, span: { readonly nowMs: number; readonly endsMs: number }): boolean {
  const untilMs = grant.untilMs ?? Number.POSITIVE_INFINITY;
  if (grant.effect === 'deny') return span.nowMs < untilMs;
  return (grant.fromMs ?? span.nowMs) <= span.nowMs && span.nowMs < untilMs && span.endsMs <= untilMs;
}

/** A name that is wanted and not held; the pattern itself where no single name can be told. */
function uncovered(wanted: Pattern, relevant: readonly Grant[]): string | undefined {
  const allow: Pattern[] = [];
  const deny: Pattern[] = [];
  for (const { pattern, effect } of relevant) {
    const parsed = parsePattern(pattern);
    if (parsed.ok) (effect === 'allow' ? allow : deny).push(parsed.pattern);
    // What cannot be read allows nothing and denies everything, as in every decision.
    else if (effect === 'deny') return wanted.text;
  }
  const result = findUncovered(wanted, { allow, deny });
  return result.isCovered ? undefined : (result.witness ?? wanted.text);
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

function no(lacks: string): Delegation {
  return { isAllowed: false, lacks };
}
