import { printDuration } from '../base/index.ts';
import type { Digest } from '../oci/index.ts';
import type { Facts, Reason, RuleName, Waiver } from './types.ts';

/** What one rule looks at. */
export interface Case {
  readonly digest: Digest;
  readonly facts: Facts | undefined;
  readonly waivers: readonly Waiver[];
  readonly nowMs: number;
  /** Where the repository comes from; looked up only for policies that have a rule about it. */
  readonly registry?: string | undefined;
}

/** What one rule says. */
export interface Opinion {
  readonly reasons: readonly (Omit<Reason, 'policy'> & { readonly needsScan: boolean })[];
  /** When time alone changes this opinion; MAX_SAFE_INTEGER: never. */
  readonly changesAtMs: number;
  /** Scanners whose scan is missing or too old; `*`: any scanner's would do. */
  readonly missing: readonly string[];
}

export const NEVER_MS = Number.MAX_SAFE_INTEGER;

/** Nothing speaks against it, whatever the time. */
export const CONTENT: Opinion = { reasons: [], changesAtMs: NEVER_MS, missing: [] };

export function against(rule: RuleName, text: string): Opinion {
  return { ...CONTENT, reasons: [{ rule, text, findings: [], needsScan: false }] };
}

export function merge(opinions: readonly Opinion[]): Opinion {
  return {
    reasons: opinions.flatMap((opinion) => opinion.reasons),
    changesAtMs: Math.min(NEVER_MS, ...opinions.map((opinion) => opinion.changesAtMs)),
    missing: opinions.flatMap((opinion) => opinion.missing),
  };
}

/** Half-open: at exactly `sinceMs + maxMs` the rule is broken. */
export function judgeSince(
  rule: RuleName,
  one: { readonly sinceMs: number; readonly maxMs: number; readonly nowMs: number },
  describe: (day: string, max: string) => string,
): Opinion {
  const endsAtMs = Math.min(NEVER_MS, one.sinceMs + one.maxMs);
  if (one.nowMs < endsAtMs) return { ...CONTENT, changesAtMs: endsAtMs };
  return against(rule, describe(dayOf(one.sinceMs), printDuration(one.maxMs)));
}

/** A day and not an age: the text of a kept verdict must stay true as long as the verdict. */
export function dayOf(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? 'an unknown day' : date.toISOString().slice(0, 10);
}
