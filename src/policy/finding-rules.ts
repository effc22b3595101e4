import { judgeFeeds } from './feed-rules.ts';
import { isAtLeast, waivedUntilMs, worstFirst } from './findings.ts';
import { type Case, CONTENT, merge, NEVER_MS, type Opinion } from './opinion.ts';
import type { Finding, RuleName, Rules, VulnerabilityRule } from './types.ts';

/** From when on a finding counts for a rule; NEVER_MS: it does not. */
type CountsFrom = (finding: Finding) => number;

const AT_ONCE_MS = 0;

export function judgeMalware(rule: Rules['malware'], one: Case): Opinion {
  return rule ? judgeFindings('malware', one, everyOf('malware')) : CONTENT;
}

export function judgeSecrets(rule: Rules['secrets'], one: Case): Opinion {
  return rule ? judgeFindings('secrets', one, everyOf('secret')) : CONTENT;
}

export function judgeVulnerabilities(rule: Rules['vulnerabilities'], one: Case): Opinion {
  if (!rule) return CONTENT;
  const found = judgeFindings('vulnerabilities', one, (finding) =>
    finding.kind === 'vulnerability' ? countsFromMs(rule, finding) : NEVER_MS,
  );
  return merge([found, judgeFeeds(rule, one)]);
}

export function judgeMisconfiguration(rule: Rules['misconfiguration'], one: Case): Opinion {
  if (!rule) return CONTENT;
  return judgeFindings('misconfiguration', one, (finding) => {
    const isSevere = rule.block !== undefined && isAtLeast(finding.severity, rule.block);
    const counts =
      finding.kind === 'misconfiguration' && (isSevere || rule.checks?.includes(finding.id) === true);
    return counts ? AT_ONCE_MS : NEVER_MS;
  });
}

function everyOf(kind: Finding['kind']): CountsFrom {
  return (finding) => (finding.kind === kind ? AT_ONCE_MS : NEVER_MS);
}

function countsFromMs(rule: VulnerabilityRule, finding: Finding): number {
  return Math.min(exploitedFromMs(rule, finding), badFromMs(rule, finding));
}

/** What is exploited already has no grace and needs no fix to count. Without a due date none is waited for. */
function exploitedFromMs(rule: VulnerabilityRule, finding: Finding): number {
  if (!rule.exploited || !finding.isExploited) return NEVER_MS;
  return rule.exploited === 'past-due' ? (finding.dueAtMs ?? AT_ONCE_MS) : AT_ONCE_MS;
}

function badFromMs(rule: VulnerabilityRule, finding: Finding): number {
  if (rule.fixableOnly && finding.fixedVersion === undefined) return NEVER_MS;
  const isBad =
    (rule.block !== undefined && isAtLeast(finding.severity, rule.block)) ||
    (rule.cvss !== undefined && (finding.cvss ?? -1) >= rule.cvss) ||
    (rule.epss !== undefined && (finding.epss ?? -1) >= rule.epss) ||
    (rule.epssPercentile !== undefined && (finding.epssPercentile ?? -1) >= rule.epssPercentile);
  if (!isBad) return NEVER_MS;
  if (rule.graceMs === undefined || finding.publishedAtMs === undefined) return AT_ONCE_MS;
  return Math.min(NEVER_MS, finding.publishedAtMs + rule.graceMs);
}

function judgeFindings(rule: RuleName, one: Case, countsFrom: CountsFrom): Opinion {
  const open: Finding[] = [];
  let changesAtMs = NEVER_MS;
  for (const finding of one.facts?.findings ?? []) {
    const fromMs = countsFrom(finding);
    if (fromMs === NEVER_MS) continue;
    const untilMs = one.nowMs < fromMs ? fromMs : waivedUntilMs(finding, one.digest, one.waivers, one.nowMs);
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
