import { type Case, CONTENT, judgeSince, NEVER_MS, type Opinion } from './opinion.ts';
import type { Rules } from './types.ts';

/** What claims to be younger than our first sight of it is as old as that: a date in the future buys no time. */
export function judgeAge(rule: Rules['age'], one: Case): Opinion {
  if (!rule || !one.facts) return CONTENT;
  const sinceMs = Math.min(one.facts.createdAtMs ?? NEVER_MS, one.facts.firstSeenAtMs);
  return judgeSince(
    'age',
    { sinceMs, maxMs: rule.maxMs, nowMs: one.nowMs },
    (day, max) => `the image is of ${day}, older than ${max}`,
  );
}

/** Where the history does not say when the base image was made, it is taken to be as old as the image itself. */
export function judgeBaseAge(rule: Rules['baseAge'], one: Case): Opinion {
  if (!rule || !one.facts) return CONTENT;
  const { baseCreatedAtMs, createdAtMs, firstSeenAtMs } = one.facts;
  const sinceMs = Math.min(baseCreatedAtMs ?? createdAtMs ?? NEVER_MS, firstSeenAtMs);
  return judgeSince(
    'baseAge',
    { sinceMs, maxMs: rule.maxMs, nowMs: one.nowMs },
    (day, max) => `its base image is of ${day}, older than ${max}: rebuild it on the current one`,
  );
}

export function judgeSuperseded(rule: Rules['superseded'], one: Case): Opinion {
  const sinceMs = one.facts?.supersededAtMs;
  if (!rule || sinceMs === undefined) return CONTENT;
  return judgeSince(
    'superseded',
    { sinceMs, maxMs: rule.maxMs, nowMs: one.nowMs },
    (day, max) => `no tag leads to it since ${day}, longer than ${max}: pull the tag's new image`,
  );
}
