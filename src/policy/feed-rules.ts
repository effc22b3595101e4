import { DAY_MS, printDuration } from '../base/index.ts';
import { against, type Case, CONTENT, dayOf, merge, NEVER_MS, type Opinion } from './opinion.ts';
import type { FeedName, Finding, Policy, VulnerabilityRule } from './types.ts';

/** How old a feed may be for a rule that does not say it. */
const WITHIN_MS = 7 * DAY_MS;

/** What people call it. */
const TITLES: Readonly<Record<FeedName, readonly [name: string, is: string, none: string]>> = {
  epss: ['EPSS scores', 'are', 'there are no EPSS scores'],
  kev: ['KEV catalog', 'is', 'there is no KEV catalog'],
};

/** The feeds that a rule looks into. */
function feedsOf(rule: VulnerabilityRule | undefined): readonly FeedName[] {
  if (!rule) return [];
  const asksEpss = rule.epss !== undefined || rule.epssPercentile !== undefined;
  return [...(asksEpss ? (['epss'] as const) : []), ...(rule.exploited ? (['kev'] as const) : [])];
}

/** Those of all policies, each once. */
export function feedsOfAll(policies: readonly Policy[]): readonly FeedName[] {
  return [...new Set(policies.flatMap(({ rules }) => feedsOf(rules.vulnerabilities)))].toSorted();
}

/**
 * A rule whose feed is missing or too old knows of no vulnerability that it is harmless, so it refuses whatever has
 * one. What has none would pass with any feed.
 */
export function judgeFeeds(rule: VulnerabilityRule, one: Case): Opinion {
  if (!one.facts?.findings.some(({ kind }) => kind === 'vulnerability')) return CONTENT;
  return merge(feedsOf(rule).map((name) => judgeFeed(name, rule.feedWithinMs ?? WITHIN_MS, one)));
}

function judgeFeed(name: FeedName, withinMs: number, { facts, nowMs }: Case): Opinion {
  const feed = facts?.feeds?.[name];
  const [title, is, none] = TITLES[name];
  if (!feed) return against('vulnerabilities', `${none} to judge by: see policy feeds`);
  const endsAtMs = Math.min(NEVER_MS, feed.asOfMs + withinMs);
  if (nowMs < endsAtMs) return { ...CONTENT, changesAtMs: endsAtMs };
  const text = `the ${title} ${is} of ${dayOf(feed.asOfMs)}, older than ${printDuration(withinMs)}`;
  return against('vulnerabilities', `${text}: see policy feeds`);
}

/** What the feeds say of one vulnerability. */
export interface FeedWord {
  readonly epss?: { readonly score: number; readonly percentile: number };
  /** Absent: not in the catalog. */
  readonly kev?: { readonly addedAtMs: number; readonly dueAtMs?: number };
}

/**
 * The findings with what the feeds say of them. A score of the feed is newer than the scanner's; what either of them
 * knows to be exploited is.
 */
export function withFeedWords(
  findings: readonly Finding[],
  words: ReadonlyMap<string, FeedWord>,
): readonly Finding[] {
  return findings.map((finding) => {
    const word = finding.kind === 'vulnerability' ? words.get(finding.id) : undefined;
    if (!word) return finding;
    const { epss, kev } = word;
    return {
      ...finding,
      ...(epss ? { epss: epss.score, epssPercentile: epss.percentile } : {}),
      ...(kev ? { isExploited: true as const, exploitedSinceMs: kev.addedAtMs } : {}),
      ...(kev?.dueAtMs === undefined ? {} : { dueAtMs: kev.dueAtMs }),
    };
  });
}
