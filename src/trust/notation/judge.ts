import type { Digest } from '../../oci/index.ts';
import type { Attested } from '../../policy/index.ts';
import { memberOf } from '../members.ts';
import type { Outcome } from '../types.ts';
import { type Chain, validityOf } from './chain.ts';
import { type Envelope, openEnvelope } from './envelope.ts';
import { standingOf } from './revocation-list.ts';
import { bears } from './subject-name.ts';
import type { NotationSigner, TrustStore } from './types.ts';

/** What is found of one signer and store: until when it counts, or in one clause why it does not. */
type Found = { readonly untilMs: number } | { readonly why: string; readonly isForNow?: true };

/**
 * Judges a Notation signature in a JWS envelope, at the level that the specification calls "strict": integrity,
 * authenticity, time, expiry and revocation must all be right. Never throws for what is in it.
 *
 * Nothing is fetched, and no time stamp is believed: under `notary.x509` every certificate must be in date now.
 *
 * @see notaryproject/specifications, trust-store-trust-policy.md, "Signature Evaluation".
 */
export async function judgeNotation(
  bytes: Uint8Array,
  subject: Digest,
  signers: readonly NotationSigner[],
  nowMs: number,
): Promise<Outcome> {
  const envelope = await open(bytes);
  if (typeof envelope === 'string') return { ok: false, why: `a Notation signature of which ${envelope}` };
  const who = envelope.chain[0].x509.subject.split('\n').join(', ');
  if (memberOf(envelope.payload, 'targetArtifact', 'digest') !== subject) {
    return { ok: false, why: `a Notation signature by ${who} for another digest` };
  }
  const found = signers.flatMap(({ name, stores, subjects }) =>
    subjects.some((one) => one === 'any' || bears(subjectOf(envelope.chain), one))
      ? stores
          .filter((store) => isIn(store, envelope))
          .map((store) => ({ name, ...judgeIn(store, envelope, nowMs) }))
      : [],
  );
  const counting = found.flatMap((one): readonly Attested[] =>
    'untilMs' in one
      ? [{ by: one.name, untilMs: one.untilMs, who, issuer: issuerOf(envelope.chain), atMs: envelope.atMs }]
      : [],
  );
  if (counting.length > 0) return { ok: true, attested: counting };
  const [first] = found;
  if (!first || !('why' in first))
    return { ok: false, why: `a Notation signature by ${who}, who is not trusted` };
  return {
    ok: false,
    why: `a Notation signature by ${first.name} ${first.why}`,
    ...(first.isForNow ? { isForNow: true } : {}),
  };
}

async function open(bytes: Uint8Array): Promise<Envelope | string> {
  try {
    return await openEnvelope(bytes);
  } catch {
    // Whatever a parser stumbles over in a hostile envelope: it is not verified. Its words may be the attacker's.
    return 'envelope or certificates do not verify';
  }
}

/** A certificate of a `ca` store makes no signing authority of its owner. */
function isIn(store: TrustStore, { chain, scheme }: Envelope): boolean {
  const type = scheme === 'notary.x509' ? 'ca' : 'signingAuthority';
  return (
    store.type === type &&
    store.certificates.some((trusted) => chain.some(({ x509 }) => x509.raw.equals(trusted.x509.raw)))
  );
}

function judgeIn(store: TrustStore, { chain, scheme, atMs, expiryMs }: Envelope, nowMs: number): Found {
  const { fromMs, untilMs } = validityOf(chain);
  const signedMs = scheme === 'notary.x509' ? nowMs : atMs;
  if (signedMs < fromMs) return { why: 'whose certificate is not valid yet', isForNow: true };
  if (signedMs >= untilMs) return { why: 'whose certificate is out of date' };
  const certificateUntilMs = scheme === 'notary.x509' ? untilMs : Number.POSITIVE_INFINITY;
  const standing = standingIn(store, chain, nowMs);
  if ('why' in standing) return standing;
  const countsUntilMs = Math.min(certificateUntilMs, standing.untilMs, expiryMs ?? Number.POSITIVE_INFINITY);
  if (nowMs >= countsUntilMs) return { why: 'that has expired' };
  return { untilMs: Math.min(countsUntilMs, Number.MAX_SAFE_INTEGER) };
}

/** Every certificate but the root, which nobody can revoke but who trusts it. */
function standingIn({ revocations }: TrustStore, chain: Chain, nowMs: number): Found {
  let untilMs = Number.POSITIVE_INFINITY;
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1];
    if (!issuer) break;
    if (!revocations) {
      if (certificate.namesRevocationService)
        return { why: 'whose certificate may be revoked: its store has no crlFile' };
      continue;
    }
    const standing = standingOf(certificate, issuer, revocations, nowMs);
    if (standing === 'revoked') return { why: 'whose certificate is revoked' };
    if (standing === 'unknown') {
      return { why: 'whose certificate may be revoked: no list that is in date says', isForNow: true };
    }
    untilMs = Math.min(untilMs, standing.untilMs);
  }
  return { untilMs };
}

function subjectOf([leaf]: Chain): object {
  return leaf.x509.toLegacyObject().subject;
}

function issuerOf([leaf]: Chain): string {
  return leaf.x509.issuer.split('\n').join(', ');
}
