import type { Digest } from '../oci/index.ts';
import { compareText } from './effective.ts';
import { type Finding, type RuleName, SEVERITIES, type Severity, type Waiver } from './types.ts';

/** Position in SEVERITIES. A word that is none of them ranks as the worst: a misspelt severity hides nothing. */
function rankOf(severity: Severity): number {
  const rank = SEVERITIES.indexOf(severity);
  return rank < 0 ? SEVERITIES.length - 1 : rank;
}

export function isAtLeast(severity: Severity, threshold: Severity): boolean {
  return rankOf(severity) >= rankOf(threshold);
}

/** Worst first; equal ones by id, so that the order never depends on that of a report. */
export function worstFirst(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted(
    (left, right) => rankOf(right.severity) - rankOf(left.severity) || compareText(left.id, right.id),
  );
}

/**
 * The instant from which no waiver covers the finding any more, as far as is known now; `undefined` when none covers
 * it at `nowMs`. A waiver with both digest and pattern must fit in both (the pattern was looked at before).
 */
export function waivedUntilMs(
  finding: Finding,
  digest: Digest,
  waivers: readonly Waiver[],
  nowMs: number,
): number | undefined {
  return lastEndMs(
    waivers.filter((waiver) => waiver.finding === finding.id && isInPackage(finding, waiver)),
    digest,
    nowMs,
  );
}

function isInPackage({ package: name, installedVersion }: Finding, { package: only }: Waiver): boolean {
  if (only === undefined) return true;
  return name !== undefined && (only === name || only === `${name}@${installedVersion}`);
}

/** Rules that no waiver excuses: what is malicious or was denied by name, and a repository that no policy covers. */
export const UNWAIVABLE_RULES: readonly RuleName[] = ['denied', 'unmatched', 'immutableTags', 'malware'];

/** The same for a whole rule. */
export function ruleWaivedUntilMs(
  rule: RuleName,
  one: { readonly digest: Digest; readonly waivers: readonly Waiver[]; readonly nowMs: number },
): number | undefined {
  if (UNWAIVABLE_RULES.includes(rule)) return undefined;
  return lastEndMs(
    one.waivers.filter((waiver) => waiver.rule === rule),
    one.digest,
    one.nowMs,
  );
}

function lastEndMs(waivers: readonly Waiver[], digest: Digest, nowMs: number): number | undefined {
  const ends = waivers
    .filter((waiver) => (waiver.digest ?? digest) === digest)
    .map((waiver) => waiver.endsAtMs)
    .filter((endsAtMs) => nowMs < endsAtMs);
  return ends.length === 0 ? undefined : Math.max(...ends);
}
