import { printDuration } from '../base/index.ts';
import type { Digest } from '../oci/index.ts';
import { isAtLeast, waivedUntilMs, worstFirst } from './findings.ts';
import type { Facts, Finding, Reason, RuleName, Rules, Scan, Waiver } from './types.ts';

/** What one rule looks at. */
export interface Case {
  readonly digest: Digest;
  readonly facts: Facts | undefined;
  readonly waivers: readonly Waiver[];
  readonly nowMs: number;
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
/** Stands for "whichever scanner runs here" where a policy has rules but names no scanner. */
const ANY_SCANNER = '*';

const CONTENT: Opinion = { reasons: [], changesAtMs: NEVER_MS, missing: [] };

/** The opinions of all rules of one policy. Artifacts have no packages, no user and no age worth judging. */
export function opinionsOf(rules: Rules, one: Case): readonly Opinion[] {
  const isArtifact = one.facts?.kind === 'artifact';
  return [
    rules.malware ? judgeFindings('malware', one, ofKind('malware')) : CONTENT,
    rules.secrets ? judgeFindings('secrets', one, ofKind('secret')) : CONTENT,
    isArtifact ? CONTENT : judgeVulnerabilities(rules.vulnerabilities, one),
    isArtifact ? CONTENT : judgeMisconfiguration(rules.misconfiguration, one),
    isArtifact ? CONTENT : judgeAge(rules.age, one),
    judgeScans(rules, one),
  ];
}

function ofKind(kind: Finding['kind']): (finding: Finding) => boolean {
  return (finding) => finding.kind === kind;
}

function judgeVulnerabilities(rule: Rules['vulnerabilities'], one: Case): Opinion {
  if (!rule) return CONTENT;
  return judgeFindings('vulnerabilities', one, (finding) => {
    const counts = !rule.fixableOnly || finding.fixedVersion !== undefined;
    return finding.kind === 'vulnerability' && counts && isAtLeast(finding.severity, rule.block);
  });
}

function judgeMisconfiguration(rule: Rules['misconfiguration'], one: Case): Opinion {
  if (!rule) return CONTENT;
  return judgeFindings('misconfiguration', one, (finding) => {
    const isSevere = rule.block !== undefined && isAtLeast(finding.severity, rule.block);
    return finding.kind === 'misconfiguration' && (isSevere || rule.checks?.includes(finding.id) === true);
  });
}

function judgeFindings(rule: RuleName, one: Case, hits: (finding: Finding) => boolean): Opinion {
  const open: Finding[] = [];
  let changesAtMs = NEVER_MS;
  for (const finding of (one.facts?.findings ?? []).filter(hits)) {
    const untilMs = waivedUntilMs(finding, one.digest, one.waivers, one.nowMs);
    if (untilMs === undefined) open.push(finding);
    else changesAtMs = Math.min(changesAtMs, untilMs);
  }
  if (open.length === 0) return { ...CONTENT, changesAtMs };
  const reason = { rule, text: countOf(open), findings: worstFirst(open), needsScan: false };
  return { ...CONTENT, reasons: [reason], changesAtMs };
}

const NOUNS: Readonly<Record<Finding['kind'], readonly [one: string, many: string]>> = {
  vulnerability: ['vulnerability', 'vulnerabilities'],
  secret: ['secret', 'secrets'],
  malware: ['piece of malware', 'pieces of malware'],
  misconfiguration: ['misconfiguration', 'misconfigurations'],
};

function countOf(findings: readonly Finding[]): string {
  const [one, many] = NOUNS[findings[0]?.kind ?? 'vulnerability'];
  return findings.length === 1 ? `1 ${one} found` : `${findings.length} ${many} found`;
}

/**
 * Half-open: at exactly `maxMs` the image is too old. What claims to be younger than our first sight of it is as old
 * as that: a date in the future must not buy time.
 */
function judgeAge(rule: Rules['age'], one: Case): Opinion {
  if (!rule || !one.facts) return CONTENT;
  const bornAtMs = Math.min(one.facts.createdAtMs ?? NEVER_MS, one.facts.firstSeenAtMs);
  const endsAtMs = bornAtMs + rule.maxMs;
  if (one.nowMs < endsAtMs) return { ...CONTENT, changesAtMs: endsAtMs };
  const text = `the image is of ${dayOf(bornAtMs)}, older than ${printDuration(rule.maxMs)}`;
  return { ...CONTENT, reasons: [{ rule: 'age', text, findings: [], needsScan: false }] };
}

/**
 * A policy with rules but without `scanned` still needs one scan: without it there would be no findings to look at
 * and no date to trust, and everything would pass.
 */
function judgeScans(rules: Rules, one: Case): Opinion {
  const scans = one.facts?.scans ?? [];
  if (rules.scanned) {
    const { by, withinMs } = rules.scanned;
    return merge(
      by.map((name) =>
        judgeScan(
          name,
          scans.find((scan) => scan.by === name),
          withinMs,
          one.nowMs,
        ),
      ),
    );
  }
  if (Object.values(rules).every((rule) => rule === undefined)) return CONTENT;
  if (scans.length === 0) return judgeScan(ANY_SCANNER, undefined, NEVER_MS, one.nowMs);
  return merge(scans.map((scan) => judgeScan(scan.by, scan, NEVER_MS, one.nowMs)));
}

function judgeScan(by: string, scan: Scan | undefined, withinMs: number, nowMs: number): Opinion {
  if (!scan) return missing(by, by === ANY_SCANNER ? 'not scanned yet' : `not scanned yet by ${by}`);
  if (scan.status !== 'done') {
    const text = `${by} could not scan it: ${scan.reason ?? 'no reason given'}`;
    return { ...CONTENT, reasons: [{ rule: 'scanned', text, findings: [], needsScan: false }] };
  }
  const endsAtMs = Math.min(scan.atMs + withinMs, NEVER_MS);
  if (nowMs < endsAtMs) return { ...CONTENT, changesAtMs: endsAtMs };
  return missing(by, `last scanned by ${by} on ${dayOf(scan.atMs)}, not within ${printDuration(withinMs)}`);
}

function missing(by: string, text: string): Opinion {
  const reason = { rule: 'scanned', text, findings: [], needsScan: true } as const;
  return { reasons: [reason], changesAtMs: NEVER_MS, missing: [by] };
}

function merge(opinions: readonly Opinion[]): Opinion {
  return {
    reasons: opinions.flatMap((opinion) => opinion.reasons),
    changesAtMs: Math.min(NEVER_MS, ...opinions.map((opinion) => opinion.changesAtMs)),
    missing: opinions.flatMap((opinion) => opinion.missing),
  };
}

/** A day and not an age: the text of a kept verdict must stay true as long as the verdict. */
function dayOf(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? 'an unknown day' : date.toISOString().slice(0, 10);
}
