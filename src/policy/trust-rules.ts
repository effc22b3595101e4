import { against, type Case, CONTENT, dayOf, merge, NEVER_MS, type Opinion } from './opinion.ts';
import type { AttestationRule, Attested, Facts, RuleName, Rules } from './types.ts';
import { matchesAny } from './wildcard.ts';

const REJECTED_TOLD_MAX = 3;

/** What a signature consists of; all else beside them could be content that somebody runs. */
const SIGNATURE_PAYLOADS: ReadonlySet<string> = new Set([
  'application/vnd.dev.cosign.simplesigning.v1+json',
  'application/vnd.dsse.envelope.v1+json',
  'application/vnd.dev.sigstore.bundle.v0.3+json',
  'application/jose+json',
]);
const SIGNATURE_CLOTHES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.oci.empty.v1+json',
  'application/vnd.cncf.notary.signature',
]);
const SIGNATURE_BYTES_MAX = 1024 * 1024;

/** Signatures and attestations that were verified before; what could not be verified only says why. */
export function judgeTrust(rules: Pick<Rules, 'signatures' | 'attestations'>, one: Case): readonly Opinion[] {
  if (one.facts && isSignature(one.facts)) return [];
  return [judgeSignatures(rules.signatures, one), judgeAttestations(rules.attestations, one)];
}

/**
 * Who signs signatures? They can be pulled unsigned, so that clients verify them as well. Only what holds nothing else
 * and is small: neither a tag's name nor an artifact's type makes a signature of an image (threats V-31).
 */
function isSignature({ kind, mediaTypes = [], sizeBytes }: Facts): boolean {
  return (
    kind !== 'index' &&
    sizeBytes !== undefined &&
    sizeBytes <= SIGNATURE_BYTES_MAX &&
    mediaTypes.some((type) => SIGNATURE_PAYLOADS.has(type)) &&
    mediaTypes.every((type) => SIGNATURE_PAYLOADS.has(type) || SIGNATURE_CLOTHES.has(type))
  );
}

function judgeSignatures(rule: Rules['signatures'], one: Case): Opinion {
  if (!rule) return CONTENT;
  const fitting = attestedOf(one).filter(
    (attested) => attested.predicateType === undefined && rule.by.includes(attested.by),
  );
  return judgeFound('signatures', fitting, one, `not signed by ${rule.by.join(' or ')}`);
}

function judgeAttestations(rules: Rules['attestations'], one: Case): Opinion {
  return merge(
    (rules ?? []).map((rule) => {
      const fitting = attestedOf(one).filter((attested) => meets(rule, attested));
      return judgeFound('attestations', fitting, one, describeMissing(rule));
    }),
  );
}

/** One that counts now is enough; the longest-lived of them says when that may change. */
function judgeFound(rule: RuleName, fitting: readonly Attested[], one: Case, missing: string): Opinion {
  const changesAtMs = Math.max(...fitting.map(({ untilMs }) => untilMs ?? NEVER_MS), 0);
  if (one.nowMs < changesAtMs) return { ...CONTENT, changesAtMs };
  const ended = fitting.map(({ by }) => `signed by ${by}, trusted until ${dayOf(changesAtMs)}`);
  const why = [...new Set([...ended, ...(one.facts?.rejected ?? [])])];
  if (why.length === 0) return against(rule, `${missing}: nothing here vouches for it`);
  const more = why.length > REJECTED_TOLD_MAX ? `; +${why.length - REJECTED_TOLD_MAX} more` : '';
  return against(rule, `${missing}: ${why.slice(0, REJECTED_TOLD_MAX).join('; ')}${more}`);
}

function attestedOf({ facts }: Case): readonly Attested[] {
  return facts?.attested ?? [];
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
