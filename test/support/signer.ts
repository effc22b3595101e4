/**
 * Signs images as cosign does, by the published formats: a payload under a tag, and a bundle that refers to the image.
 *
 * @see sigstore/cosign, specs/SIGNATURE_SPEC.md and BUNDLE_SPEC.md; secure-systems-lab/dsse, protocol.md.
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { MEDIA_TYPES } from '../../src/oci/index.ts';
import { type BuiltImage, type BuiltIndex, buildArtifact, digestOf } from './image.ts';

const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';
const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';
const STATEMENT_TYPE = 'application/vnd.in-toto+json';

export interface Signer {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** As in `cosign.pub`. */
  readonly pem: string;
}

export function createSigner(kind: 'ec' | 'ed25519' | 'rsa' = 'ec'): Signer {
  const { privateKey, publicKey } = keyPairOf(kind);
  return { privateKey, publicKey, pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

function keyPairOf(kind: 'ec' | 'ed25519' | 'rsa') {
  if (kind === 'ed25519') return generateKeyPairSync('ed25519');
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

/** The tag under which the first way puts a signature (`sig`) or an attestation (`att`). */
export const tagOf = (digest: string, suffix = 'sig') => `${digest.replace(':', '-')}.${suffix}`;

export function payloadOf(digest: string, type = 'cosign container image signature'): Uint8Array {
  return jsonOf({
    critical: { identity: { 'docker-reference': '' }, image: { 'docker-manifest-digest': digest }, type },
    optional: null,
  });
}

/** Base64, over exactly these bytes. */
export function signatureOf(bytes: Uint8Array, { privateKey }: Signer): string {
  const algorithm = privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return sign(algorithm, bytes, privateKey).toString('base64');
}

/** What is tagged with `tagOf` of the digest. */
export function simpleSignature(digest: string, signer: Signer, payload = payloadOf(digest)): BuiltImage {
  return withLayerAnnotation(
    buildArtifact({ artifactType: '', blobs: [{ bytes: payload, mediaType: SIMPLE_SIGNING }] }),
    { 'dev.cosignproject.cosign/signature': signatureOf(payload, signer) },
  );
}

/** `cosign` writes the config of an image there; the annotation stands at the layer. */
function withLayerAnnotation(built: BuiltImage, annotations: Readonly<Record<string, string>>): BuiltImage {
  const config = {
    bytes: jsonOf({ architecture: '', os: '', config: {}, rootfs: { type: 'layers', diff_ids: [] } }),
    mediaType: MEDIA_TYPES.ociConfig,
  };
  const manifest = jsonOf({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: descriptorOf(config),
    layers: built.layers.map((layer) => ({ ...descriptorOf(layer), annotations })),
  });
  const digest = digestOf(manifest);
  return { ...built, config: { ...config, digest: digestOf(config.bytes) }, manifest, digest };
}

/** A statement about the digest, by default the one that says "signed" and no more. */
export function statementOf(
  digest: string,
  predicateType = SIGNATURE_PREDICATE,
  predicate: object = {},
): Uint8Array {
  const [algorithm = '', hex = ''] = digest.split(':');
  return jsonOf({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { [algorithm]: hex } }],
    predicateType,
    predicate,
  });
}

export function envelopeOf(statement: Uint8Array, signer: Signer, payloadType = STATEMENT_TYPE) {
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${statement.length} `;
  const signed = Buffer.concat([Buffer.from(head), statement]);
  return {
    payload: Buffer.from(statement).toString('base64'),
    payloadType,
    signatures: [{ sig: signatureOf(signed, signer) }],
  };
}

export function bundleOf(statement: Uint8Array, signer: Signer, payloadType?: string): Uint8Array {
  const der = signer.publicKey.export({ type: 'spki', format: 'der' });
  return jsonOf({
    mediaType: BUNDLE_TYPE,
    verificationMaterial: { publicKey: { hint: createHash('sha256').update(der).digest('base64') } },
    dsseEnvelope: envelopeOf(statement, signer, payloadType),
  });
}

/** A referrer of the image that holds the bundle. */
export function bundleReferrer(
  subject: BuiltImage | BuiltIndex,
  signer: Signer,
  statement = statementOf(subject.digest),
): BuiltImage {
  return referrerOf(subject, bundleOf(statement, signer));
}

export function referrerOf(subject: BuiltImage | BuiltIndex, bundle: Uint8Array): BuiltImage {
  const blob = { bytes: bundle, mediaType: BUNDLE_TYPE };
  return buildArtifact({ artifactType: BUNDLE_TYPE, blobs: [blob], subject });
}

function descriptorOf({ mediaType, bytes }: { readonly mediaType: string; readonly bytes: Uint8Array }) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

export function jsonOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
