import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import { StartError } from '../base/index.ts';

const RSA_BITS_MIN = 2048;
const CURVES: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1'];

/** A new private key on P-256 as PKCS#8 PEM. */
export function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * Reads a private key that a server may use: P-256, P-384, P-521, Ed25519, or RSA from 2048 bits.
 * @throws {StartError} anything else, a public or an encrypted key; names the file.
 */
export function readPrivateKey(path: string, pem: string): KeyObject {
  const key = parsePrivateKey(path, pem);
  const details = key.asymmetricKeyDetails ?? {};
  const isUsable =
    key.asymmetricKeyType === 'ed25519' ||
    (key.asymmetricKeyType === 'ec' && CURVES.includes(details.namedCurve ?? '')) ||
    (key.asymmetricKeyType === 'rsa' && (details.modulusLength ?? 0) >= RSA_BITS_MIN);
  if (isUsable) return key;
  throw new StartError(
    `${path} holds a key that is not used for TLS here (${key.asymmetricKeyType}): ` +
      'use P-256, P-384, P-521, Ed25519, or RSA of at least 2048 bits',
  );
}

function parsePrivateKey(path: string, pem: string): KeyObject {
  if (/-----BEGIN (?:ENCRYPTED |[A-Z ]*PUBLIC )/.test(pem) || pem.includes('Proc-Type: 4,ENCRYPTED')) {
    throw new StartError(`${path} is not a plain private key: it must be PEM, private and not encrypted`);
  }
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause could quote what was in the file.
    throw new StartError(`${path} is not a private key in PEM, or it is damaged: restore it from a copy`);
  }
}

/**
 * Reads the certificates of a PEM file, the server's own first.
 * @throws {StartError} the file holds none, or one that cannot be read.
 */
export function readCertificates(
  path: string,
  pem: string,
): readonly [X509Certificate, ...X509Certificate[]] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    const [first, ...others] = blocks.map((block) => new X509Certificate(block));
    if (first) return [first, ...others];
  } catch {
    // Falls through: a block that OpenSSL cannot read is the same to the operator as no block at all.
  }
  throw new StartError(`${path} holds no readable certificate: it must be PEM, the server's own first`);
}

/** Names an EC key: the first 160 bits of the SHA-256 of its point. @see RFC 7093, 2 (1) */
export function keyIdOf(publicKey: KeyObject): Uint8Array {
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  return createHash('sha256').update(point).digest().subarray(0, 20);
}

export function publicKeyOf(privateKey: KeyObject): KeyObject {
  return createPublicKey(privateKey);
}
