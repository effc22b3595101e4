import { type Bundle, bundleFromJSON, envelopeFromJSON } from '@sigstore/bundle';
import { crypto, dsse } from '@sigstore/core';
import { toSignedEntity, Verifier } from '@sigstore/verify';
import { SECOND_MS } from '../base/index.ts';
import { type Digest, matchesStars } from '../oci/index.ts';
import { readStatement, STATEMENT_TYPE } from './statement.ts';
import { namesOf, speakFor } from './trusted-key.ts';
import type { Outcome, Trust, TrustedIdentity, TrustedKey } from './types.ts';

/** Who signed an envelope. */
interface Signed {
  readonly signers: readonly TrustedKey[] | readonly TrustedIdentity[];
  readonly outcome: (what: Parameters<typeof speakFor>[1]) => Outcome;
}

/**
 * Judges a sigstore bundle (version 0.1 to 0.3) that holds a signed in-toto statement. Never throws for what is in it.
 *
 * @see sigstore/cosign, specs/BUNDLE_SPEC.md; sigstore protobuf-specs, sigstore_bundle.proto.
 */
export function judgeBundle(bytes: Uint8Array, subject: Digest, trust: Trust): Outcome {
  const bundle = readBundle(bytes);
  if (!bundle) return refused('a bundle that cannot be read');
  if (bundle.content.$case !== 'dsseEnvelope') return refused('a bundle that holds no statement');
  const isByKey = bundle.verificationMaterial.content.$case === 'publicKey';
  const signed = isByKey ? signedByKey(bundle, trust.keys) : signedByCertificate(bundle, trust);
  if ('why' in signed) return signed;
  return judgeEnvelope(bundle.content.dsseEnvelope, subject, signed);
}

/** Judges an envelope that stands alone, as `cosign attest` writes it under the tag `sha256-<hex>.att`. */
export function judgePlainEnvelope(bytes: Uint8Array, subject: Digest, keys: readonly TrustedKey[]): Outcome {
  const envelope = readEnvelope(bytes);
  if (!envelope) return refused('an envelope that cannot be read');
  const signed = signedEnvelope(envelope, keys);
  return 'why' in signed ? signed : judgeEnvelope(envelope, subject, signed);
}

interface Envelope {
  readonly payloadType: string;
  readonly payload: Buffer;
  readonly signatures: readonly { readonly sig: Buffer }[];
}

function judgeEnvelope(envelope: Envelope, subject: Digest, { signers, outcome }: Signed): Outcome {
  const by = namesOf(signers);
  if (envelope.payloadType !== STATEMENT_TYPE) return refused(`an envelope by ${by} that holds no statement`);
  const statement = readStatement(envelope.payload, subject);
  return statement.ok ? outcome(statement.what) : refused(`a signature by ${by} ${statement.problem}`);
}

/**
 * A key of the configuration is trusted by itself: what transparency logs and timestamps say beside it is not looked
 * at, since a log that is not known here could neither confirm nor refute it.
 */
function signedByKey(bundle: Bundle, keys: readonly TrustedKey[]): Signed | (Outcome & { ok: false }) {
  if (bundle.content.$case !== 'dsseEnvelope') return refused('a bundle that holds no statement');
  return signedEnvelope(bundle.content.dsseEnvelope, keys);
}

function signedEnvelope(envelope: Envelope, keys: readonly TrustedKey[]): Signed | (Outcome & { ok: false }) {
  const signed = dsse.preAuthEncoding(envelope.payloadType, envelope.payload);
  const signers = keys.filter(({ key }) =>
    envelope.signatures.some(({ sig }) => crypto.verify(signed, key, sig)),
  );
  if (signers.length === 0) return refused('a signature by no trusted key');
  return { signers, outcome: (what) => speakFor(signers, what) };
}

/**
 * The certificate must come from an authority of the trusted root, its issuance and the signature must be in logs of
 * that root, and the time at which the log took it decides whether the certificate was valid.
 */
function signedByCertificate(
  bundle: Bundle,
  { root, identities }: Trust,
): Signed | (Outcome & { ok: false }) {
  if (!root) return refused('a signature by certificate, and no root is trusted here');
  const identity = verifiedIdentity(bundle, root);
  if (!identity) return refused('a signature whose certificate or log entry does not verify');
  const issuer = identity.extensions?.issuer;
  const name = identity.subjectAlternativeName;
  const signers = identities.filter(
    (one) => name !== undefined && one.issuer === issuer && matchesStars(one.subject, name),
  );
  if (signers.length === 0) return refused(`a signature by ${name ?? 'nobody'}, who is not trusted`);
  const told = {
    ...(name === undefined ? {} : { who: name }),
    ...(issuer === undefined ? {} : { issuer }),
    ...loggedAt(bundle),
  };
  const attested = (what = {}) => signers.map((signer) => ({ by: signer.name, ...what, ...told }));
  return { signers, outcome: (what) => ({ ok: true, attested: attested(what) }) };
}

function verifiedIdentity(bundle: Bundle, root: NonNullable<Trust['root']>) {
  try {
    return new Verifier(root).verify(toSignedEntity(bundle)).identity;
  } catch {
    // Whatever the library stumbles over in a hostile bundle: it is not verified.
    return undefined;
  }
}

/** When the log took it; the promise that was verified covers it. */
function loggedAt(bundle: Bundle): { readonly atMs?: number } {
  const [entry] = bundle.verificationMaterial.tlogEntries;
  return entry ? { atMs: Number(entry.integratedTime) * SECOND_MS } : {};
}

function readBundle(bytes: Uint8Array): Bundle | undefined {
  try {
    return bundleFromJSON(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch {
    return undefined;
  }
}

function readEnvelope(bytes: Uint8Array): Envelope | undefined {
  try {
    return envelopeFromJSON(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch {
    return undefined;
  }
}

function refused(why: string): Outcome & { ok: false } {
  return { ok: false, why };
}
