import { matchesPattern, parsePattern, type Repository } from '../oci/index.ts';
import { feedsOfAll } from './feed-rules.ts';
import type { Feeds, Policy, Waiver } from './types.ts';

/** What decides about the digests of one repository. Two repositories with equal text share their verdicts. */
export interface Effective {
  /** Every matching policy whose mode is not `off`, by name. */
  readonly policies: readonly Policy[];
  /** Every waiver that may hold here, by id; a waiver for one digest is looked at when that digest is judged. */
  readonly waivers: readonly Waiver[];
  /** Set when a rule asks for what is inside, which is long and so looked up only then. */
  readonly wantsPackages?: true;
  /** Set when a rule asks who signed: that is looked up in the repository, and remembered for it alone. */
  readonly wantsVouchers?: true;
  /** Set when a rule asks for feeds: those that it asks for, as far as they are loaded. */
  readonly feeds?: Feeds;
  /** Set when a rule asks where the repository comes from, and that is known. */
  readonly registry?: string;
  /** Set when a rule asks for what differs between repositories, such as tags: then none shares these verdicts. */
  readonly only?: Repository;
}

/** What decides beside policies and waivers. */
export interface Surroundings {
  readonly feeds?: Feeds;
  /** Where the repository comes from: host and port of an upstream, or `embedded`. */
  readonly registry?: string | undefined;
}

/** Raised whenever `judge` comes to other verdicts from equal input, so that no kept verdict outlives its logic. */
const JUDGE_VERSION = 5;

/**
 * Selects what applies to a repository. A policy in mode `off` is as good as absent: where nothing else matches, the
 * repository is unmatched and refused.
 */
export function effectivePolicies(
  policies: readonly Policy[],
  waivers: readonly Waiver[],
  repository: Repository,
  { feeds = {}, registry }: Surroundings = {},
): Effective {
  const matching = policies
    .filter((policy) => policy.mode !== 'off' && isCovered(policy.match.join(','), repository, true))
    .toSorted((left, right) => compareText(left.name, right.name));
  return {
    policies: matching,
    ...(matching.some((policy) => policy.rules.superseded) ? { only: repository } : {}),
    ...(matching.some(({ rules }) => rules.packages ?? rules.licenses)
      ? { wantsPackages: true as const }
      : {}),
    ...(matching.some(({ rules }) => rules.signatures ?? rules.attestations)
      ? { wantsVouchers: true as const }
      : {}),
    ...feedsWanted(matching, feeds),
    ...(registry !== undefined && matching.some(({ rules }) => rules.registries) ? { registry } : {}),
    waivers: waivers
      .filter((waiver) => mayHoldIn(waiver, repository))
      .toSorted((left, right) => compareText(left.id, right.id)),
  };
}

/**
 * One text for equal effects, to be hashed: what a verdict depends on, in a fixed order of policies and members.
 * Who granted a waiver and why is left out, since it changes no verdict.
 */
export function canonicalText(effective: Effective): string {
  const waivers = effective.waivers.map((waiver) => ({
    id: waiver.id,
    finding: waiver.finding,
    rule: waiver.rule,
    package: waiver.package,
    digest: waiver.digest,
    pattern: waiver.pattern,
    isApproved: waiver.approvedBy !== undefined,
    endsAtMs: waiver.endsAtMs,
  }));
  const { policies, only, feeds, registry } = effective;
  return JSON.stringify(sortMembers({ version: JUDGE_VERSION, policies, waivers, only, feeds, registry }));
}

/** A feed that says something else makes another text: what was judged by the one before is not asked for any more. */
function feedsWanted(policies: readonly Policy[], feeds: Feeds): Pick<Effective, 'feeds'> {
  const wanted = feedsOfAll(policies);
  if (wanted.length === 0) return {};
  return { feeds: Object.fromEntries(wanted.flatMap((name) => (feeds[name] ? [[name, feeds[name]]] : []))) };
}

/** A waiver that names neither digest nor pattern covers nothing: an exception is never wider than it says. */
function mayHoldIn(waiver: Waiver, repository: Repository): boolean {
  if (waiver.pattern === undefined) return waiver.digest !== undefined;
  return isCovered(waiver.pattern, repository, false);
}

/**
 * Patterns are checked when they are written. One that cannot be read all the same (a damaged row, a newer version's
 * syntax) must not open the gate: a policy then applies everywhere, a waiver nowhere.
 */
function isCovered(text: string, repository: Repository, whenUnreadable: boolean): boolean {
  const result = parsePattern(text);
  return result.ok ? matchesPattern(result.pattern, repository) : whenUnreadable;
}

export function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([left], [right]) => compareText(left, right));
  return Object.fromEntries(entries.map(([key, member]) => [key, sortMembers(member)]));
}
