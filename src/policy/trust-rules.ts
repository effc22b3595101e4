import { against, type Case, CONTENT, merge, type Opinion } from './opinion.ts';
import type { AttestationRule, Attested, Rules } from './types.ts';
import { matchesAny } from './wildcard.ts';

/** Signatures and attestations that were verified before; what could not be verified is not among the facts. */
export function judgeTrust(rules: Pick<Rules, 'signatures' | 'attestations'>, one: Case): readonly Opinion[] {
  const attested = one.facts?.attested ?? [];
  return [judgeSignatures(rules.signatures, attested), judgeAttestations(rules.attestations, attested)];
}

function judgeSignatures(rule: Rules['signatures'], attested: readonly Attested[]): Opinion {
  if (!rule) return CONTENT;
  const isSigned = attested.some((one) => one.predicateType === undefined && rule.by.includes(one.by));
  return isSigned ? CONTENT : against('signatures', `not signed by ${rule.by.join(' or ')}`);
}

function judgeAttestations(rules: Rules['attestations'], attested: readonly Attested[]): Opinion {
  return merge(
    (rules ?? [])
      .filter((rule) => !attested.some((one) => meets(rule, one)))
      .map((rule) => against('attestations', describeMissing(rule))),
  );
}

function meets(rule: AttestationRule, one: Attested): boolean {
  return (
    one.predicateType === rule.type &&
    rule.by.includes(one.by) &&
    fits(rule.builder, one.builder) &&
    fits(rule.source, one.source)
  );
}

function fits(patterns: readonly string[] | undefined, value: string | undefined): boolean {
  return patterns === undefined || (value !== undefined && matchesAny(patterns, value));
}

function describeMissing({ type, by, builder, source }: AttestationRule): string {
  const ofBuilder = builder ? ` of builder ${builder.join(' or ')}` : '';
  const ofSource = source ? ` from ${source.join(' or ')}` : '';
  return `no attestation ${type} by ${by.join(' or ')}${ofBuilder}${ofSource}`;
}
