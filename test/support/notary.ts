/**
 * Signs as Notation does, by the published format: a JWS that refers to the image.
 *
 * @see notaryproject/specifications, signature-specification.md and signature-envelope-jws.md.
 */
import { sign } from 'node:crypto';
import { MEDIA_TYPES } from '../../src/oci/index.ts';
import { type BuiltImage, type BuiltIndex, buildArtifact } from './image.ts';
import { jsonOf } from './signer.ts';
import type { Holder } from './x509.ts';

const NOTARY = 'io.cncf.notary.';
const NOTATION_TYPE = 'application/vnd.cncf.notary.signature';

/** Replaces what an envelope holds; a member that is `undefined` is left out. */
export interface EnvelopeChanges {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly payload?: object;
  readonly outer?: Readonly<Record<string, unknown>>;
  readonly unprotected?: Readonly<Record<string, unknown>>;
}

export const targetOf = (digest: string) => ({
  targetArtifact: { mediaType: MEDIA_TYPES.ociManifest, digest, size: 1 },
});

/** @param chain the signer first, its root last. */
export function notationEnvelope(
  digest: string,
  chain: readonly [Holder, ...Holder[]],
  changes: EnvelopeChanges = {},
): Uint8Array {
  const [{ privateKey }] = chain;
  const isRsa = privateKey.asymmetricKeyType === 'rsa';
  const header = {
    alg: isRsa ? 'PS256' : 'ES256',
    cty: 'application/vnd.cncf.notary.payload.v1+json',
    crit: [`${NOTARY}signingScheme`],
    [`${NOTARY}signingScheme`]: 'notary.x509',
    [`${NOTARY}signingTime`]: '2026-01-01T00:00:00Z',
    ...changes.header,
  };
  const protectedPart = Buffer.from(jsonOf(header)).toString('base64url');
  const payload = Buffer.from(jsonOf(changes.payload ?? targetOf(digest))).toString('base64url');
  const scheme = isRsa ? { padding: 6, saltLength: 32 } : { dsaEncoding: 'ieee-p1363' as const };
  const signature = sign('sha256', Buffer.from(`${protectedPart}.${payload}`), {
    key: privateKey,
    ...scheme,
  });
  return jsonOf({
    payload,
    protected: protectedPart,
    header: { x5c: chain.map((one) => one.der.toString('base64')), ...changes.unprotected },
    signature: signature.toString('base64url'),
    ...changes.outer,
  });
}

/** A referrer of the image that holds the envelope. */
export function notationReferrer(subject: BuiltImage | BuiltIndex, envelope: Uint8Array): BuiltImage {
  const blob = { bytes: envelope, mediaType: 'application/jose+json' };
  return buildArtifact({ artifactType: NOTATION_TYPE, blobs: [blob], subject });
}
