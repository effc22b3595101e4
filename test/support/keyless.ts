/**
 * A sigstore of a test's own: an authority as Fulcio is, a log of certificates and one of signatures as Rekor is.
 *
 * @see sigstore/fulcio, docs/oid-info.md; RFC 6962, chapter 3; sigstore protobuf-specs, sigstore_bundle.proto.
 */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { envelopeOf, jsonOf } from './signer.ts';
import {
  createCertificate,
  der,
  extension,
  type Holder,
  nameOf,
  octets,
  ofAuthority,
  ofSigner,
  signedBy,
  tbsOf,
  utf8,
} from './x509.ts';

export interface Identity {
  /** OIDC issuer. */
  readonly issuer: string;
  /** URI of a workflow, or an address. */
  readonly name: string;
}

export interface SignOptions {
  readonly identity: Identity;
  /** When the log took it, in milliseconds; the certificate holds ten minutes from then, unless told. */
  readonly atMs?: number;
  readonly certificateFromMs?: number;
  readonly certificateLog?: 'none' | 'forged';
  readonly log?: 'none' | 'forged' | 'without promise' | 'of another signature';
}

const CERTIFICATE_MS = 600_000;
const SCT_LIST = '1.3.6.1.4.1.11129.2.4.2';
const FULCIO = '1.3.6.1.4.1.57264.1';
const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const START = '2020-01-01T00:00:00Z';

export type Keyless = ReturnType<typeof createKeyless>;

export function createKeyless() {
  const root = createCertificate({
    ...{ subject: 'O=sigstore.test, CN=fulcio', extensions: ofAuthority() },
    fromMs: Date.parse(START),
  });
  const [certificateLog, signatureLog, forger] = [newKey(), newKey(), newKey()];

  function issue({
    identity,
    atMs = Date.now(),
    ...options
  }: SignOptions): Pick<Holder, 'privateKey' | 'der'> {
    const { privateKey } = newKey();
    const fromMs = options.certificateFromMs ?? atMs;
    const extensions = [...ofSigner(), ...identityExtensions(identity)];
    const parts = {
      ...{ issuerName: root.name, name: nameOf(''), privateKey, signer: root, fromMs },
      ...{
        serialNumber: Buffer.concat([Buffer.from([1]), randomBytes(8)]),
        untilMs: fromMs + CERTIFICATE_MS,
      },
    };
    if (options.certificateLog !== 'none') {
      const key = options.certificateLog === 'forged' ? forger : certificateLog;
      extensions.push(
        timestampOf(tbsOf({ ...parts, extensions }), { key, logId: certificateLog.id, atMs: fromMs }),
      );
    }
    return { privateKey, der: signedBy(root.privateKey, tbsOf({ ...parts, extensions })) };
  }

  /** A signed certificate timestamp, embedded. */
  function timestampOf(tbs: Buffer, log: { key: Log; logId: Buffer; atMs: number }): Buffer {
    const timestamp = Buffer.alloc(8);
    timestamp.writeBigUInt64BE(BigInt(log.atMs));
    const issuer = sha256(publicDer(root.privateKey));
    const entry = Buffer.concat([issuer, sized(tbs, 3)]);
    const head = Buffer.from([0, 0]);
    const signed = Buffer.concat([head, timestamp, Buffer.from([0, 1]), entry, Buffer.from([0, 0])]);
    const signature = sized(sign('sha256', signed, log.key.privateKey), 2);
    const sct = Buffer.concat([Buffer.from([0]), log.logId, timestamp, Buffer.from([0, 0, 4, 3]), signature]);
    return extension(SCT_LIST, octets(sized(sized(sct, 2), 2)));
  }

  /** What the log says of an entry. */
  function logEntry(body: Uint8Array, atMs: number, key: Log = signatureLog) {
    const integratedTime = Math.floor(atMs / 1000);
    const rootHash = sha256(Buffer.concat([Buffer.from([0]), body]));
    const note = `rekor.test\n1\n${rootHash.toString('base64')}\n`;
    const noted = Buffer.concat([
      signatureLog.id.subarray(0, 4),
      sign('sha256', Buffer.from(note), key.privateKey),
    ]);
    // In the order of RFC 8785.
    const promise = jsonOf({
      body: Buffer.from(body).toString('base64'),
      integratedTime,
      logID: signatureLog.id.toString('hex'),
      logIndex: 0,
    });
    return {
      logIndex: '0',
      logId: { keyId: signatureLog.id.toString('base64') },
      integratedTime: String(integratedTime),
      inclusionPromise: {
        signedEntryTimestamp: sign('sha256', promise, key.privateKey).toString('base64'),
      },
      inclusionProof: {
        ...{ logIndex: '0', rootHash: rootHash.toString('base64'), treeSize: '1', hashes: [] },
        checkpoint: { envelope: `${note}\n— rekor.test ${noted.toString('base64')}\n` },
      },
      canonicalizedBody: Buffer.from(body).toString('base64'),
    };
  }

  return {
    /** A bundle as `cosign sign` makes it without a key. */
    bundle(statement: Uint8Array, options: SignOptions): Uint8Array {
      const { atMs = Date.now(), log } = options;
      const certificate = issue(options);
      const envelope = envelopeOf(statement, signerOf(certificate.privateKey));
      const logged =
        log === 'of another signature' ? envelopeOf(statement, signerOf(certificate.privateKey)) : envelope;
      const body = jsonOf({
        apiVersion: '0.0.1',
        kind: 'dsse',
        spec: {
          payloadHash: { algorithm: 'sha256', value: sha256(statement).toString('hex') },
          signatures: [{ signature: logged.signatures[0]?.sig, verifier: pemBase64(certificate.der) }],
        },
      });
      const entry = logEntry(body, atMs, log === 'forged' ? forger : signatureLog);
      const { inclusionPromise, ...withoutPromise } = entry;
      const kindVersion = { kind: 'dsse', version: '0.0.1' };
      const entries = [
        { ...withoutPromise, ...(log === 'without promise' ? {} : { inclusionPromise }), kindVersion },
      ];
      return jsonOf({
        mediaType: BUNDLE_TYPE,
        verificationMaterial: {
          certificate: { rawBytes: certificate.der.toString('base64') },
          tlogEntries: log === 'none' ? [] : entries,
        },
        dsseEnvelope: envelope,
      });
    },
    /** `trusted_root.json`. */
    trustedRoot: JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [logOf('https://rekor.test', signatureLog)],
      ctlogs: [logOf('https://ctlog.test', certificateLog)],
      certificateAuthorities: [
        {
          subject: { organization: 'sigstore.test', commonName: 'fulcio' },
          uri: 'https://fulcio.test',
          certChain: { certificates: [{ rawBytes: root.der.toString('base64') }] },
          validFor: { start: START },
        },
      ],
      timestampAuthorities: [],
    }),
  };
}

interface Log {
  readonly privateKey: KeyObject;
  readonly id: Buffer;
}

function newKey(): Log {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, id: sha256(publicDer(privateKey)) };
}

function logOf(baseUrl: string, { privateKey, id }: Log) {
  return {
    ...{ baseUrl, hashAlgorithm: 'SHA2_256', logId: { keyId: id.toString('base64') } },
    publicKey: {
      rawBytes: publicDer(privateKey).toString('base64'),
      keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      validFor: { start: START },
    },
  };
}

function identityExtensions({ issuer, name }: Identity): readonly Buffer[] {
  const alternative = der(name.includes('://') ? 0x86 : 0x81, Buffer.from(name));
  return [
    extension('2.5.29.17', der(0x30, alternative), true),
    extension(`${FULCIO}.1`, Buffer.from(issuer)),
    extension(`${FULCIO}.8`, utf8(issuer)),
  ];
}

function signerOf(privateKey: KeyObject) {
  return { privateKey, publicKey: createPublicKey(privateKey), pem: '' };
}

function publicDer(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
}

function pemBase64(certificate: Buffer): string {
  return Buffer.from(`-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n`).toString('base64');
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** With its length before it, in so many bytes. */
function sized(bytes: Buffer, lengthBytes: number): Buffer {
  const head = Buffer.alloc(lengthBytes);
  head.writeUIntBE(bytes.length, 0, lengthBytes);
  return Buffer.concat([head, bytes]);
}
