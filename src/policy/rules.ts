import { judgeAge, judgeBaseAge, judgeSuperseded } from './age-rules.ts';
import { withoutAbsent } from './document-shapes.ts';
import { judgeMalware, judgeMisconfiguration, judgeSecrets, judgeVulnerabilities } from './finding-rules.ts';
import { ruleWaivedUntilMs } from './findings.ts';
import type { Case, Opinion } from './opinion.ts';
import { judgePackages } from './package-rules.ts';
import { judgeRegistry } from './registry-rule.ts';
import { judgeScans } from './scan-rule.ts';
import { judgeShape } from './shape-rules.ts';
import { judgeTrust } from './trust-rules.ts';
import type { Policy, Rules } from './types.ts';

/** The opinions of all rules of one policy on an image or artifact, waivers taken into account. */
export function opinionsOf(policy: Policy, one: Case): readonly Opinion[] {
  return withWaivers(policy, one, rulesOn);
}

/** Those of the rules that look at an index itself; all others look at its children. */
export function indexOpinionsOf(policy: Policy, one: Case): readonly Opinion[] {
  return withWaivers(policy, one, ({ signatures, attestations, mediaTypes, registries }, judged) => [
    ...judgeTrust(withoutAbsent({ signatures, attestations }), judged),
    ...judgeShape(withoutAbsent({ mediaTypes }), judged.facts),
    judgeRegistry(registries, judged),
  ]);
}

function withWaivers(
  policy: Policy,
  one: Case,
  judgeRules: (rules: Rules, one: Case) => readonly Opinion[],
): readonly Opinion[] {
  const waivers =
    policy.waivers === 'approved'
      ? one.waivers.filter((waiver) => waiver.approvedBy !== undefined)
      : one.waivers;
  const judged = { ...one, waivers };
  return judgeRules(policy.rules, judged).map((opinion) => withoutWaived(opinion, judged));
}

function rulesOn(rules: Rules, one: Case): readonly Opinion[] {
  return [
    judgeMalware(rules.malware, one),
    judgeSecrets(rules.secrets, one),
    ...(one.facts?.kind === 'artifact' ? [] : rulesOnImages(rules, one)),
    ...judgeTrust(rules, one),
    ...judgeShape(rules, one.facts),
    judgeRegistry(rules.registries, one),
    judgeSuperseded(rules.superseded, one),
    judgeScans(rules, one),
  ];
}

/** Artifacts have no packages, no user and no age worth judging. */
function rulesOnImages(rules: Rules, one: Case): readonly Opinion[] {
  return [
    judgeVulnerabilities(rules.vulnerabilities, one),
    judgeMisconfiguration(rules.misconfiguration, one),
    ...judgePackages(rules, one),
    judgeBaseAge(rules.baseAge, one),
    judgeAge(rules.age, one),
  ];
}

/** A scan that is missing can be had, so no waiver excuses it. */
function withoutWaived(opinion: Opinion, one: Case): Opinion {
  let changesAtMs = opinion.changesAtMs;
  const reasons = opinion.reasons.filter((reason) => {
    const untilMs = reason.needsScan ? undefined : ruleWaivedUntilMs(reason.rule, one);
    if (untilMs !== undefined) changesAtMs = Math.min(changesAtMs, untilMs);
    return untilMs === undefined;
  });
  return { ...opinion, reasons, changesAtMs };
}
