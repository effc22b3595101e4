/**
 * Makes certificates and revocation lists byte by byte, so that a test can leave out or bend any part of them.
 *
 * @see RFC 5280; ITU-T X.690 (DER).
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface Holder {
  readonly privateKey: KeyObject;
  /** DER of the certificate. */
  readonly der: Buffer;
  readonly pem: string;
  /** DER of its subject. */
  readonly name: Buffer;
  readonly serialNumber: Buffer;
}

export interface CertificateOptions {
  /** `C=DE, ST=BY, O=corp, CN=release`; empty for none. */
  readonly subject?: string;
  /** Itself when absent. */
  readonly issuer?: Pick<Holder, 'privateKey' | 'name'>;
  readonly fromMs?: number;
  readonly untilMs?: number;
  readonly extensions?: readonly Buffer[];
  readonly kind?: 'P-256' | 'P-384' | 'rsa' | 'P-224';
  readonly privateKey?: KeyObject;
  readonly hash?: 'sha256' | 'sha1';
}

const ATTRIBUTES: Readonly<Record<string, string>> = {
  ...{ C: '2.5.4.6', ST: '2.5.4.8', L: '2.5.4.7', O: '2.5.4.10', OU: '2.5.4.11', CN: '2.5.4.3' },
};
const ALGORITHMS: Readonly<Record<string, string>> = {
  'ec sha256': '1.2.840.10045.4.3.2',
  'ec sha1': '1.2.840.10045.4.1',
  'rsa sha256': '1.2.840.113549.1.1.11',
  'rsa sha1': '1.2.840.113549.1.1.5',
};
const DAY_MS = 86_400_000;

/** One value: its tag, and what is in it. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(content);
  const length = value.length < 128 ? [] : bytesOf(value.length);
  const head = value.length < 128 ? [tag, value.length] : [tag, 0x80 | length.length, ...length];
  return Buffer.concat([Buffer.from(head), value]);
}

function bytesOf(count: number): number[] {
  return count < 256 ? [count] : [...bytesOf(count >> 8), count & 255];
}

export const sequence = (...content: readonly Uint8Array[]) => der(0x30, ...content);
export const octets = (content: Uint8Array) => der(0x04, content);
export const utf8 = (text: string) => der(0x0c, Buffer.from(text));
const bitString = (content: Uint8Array, unused = 0) => der(0x03, Buffer.from([unused]), content);
const integer = (content: Uint8Array) => der(0x02, content);

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const encode = (number: number, last = true): number[] => [
    ...(number >= 128 ? encode(Math.floor(number / 128), false) : []),
    (number % 128) | (last ? 0 : 0x80),
  ];
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap((one) => encode(one))]));
}

export function extension(id: string, value: Uint8Array, isCritical = false): Buffer {
  return sequence(oid(id), ...(isCritical ? [der(0x01, Buffer.from([0xff]))] : []), octets(value));
}

/** The bits of RFC 5280, 4.2.1.3: 0 digitalSignature, 5 keyCertSign, 6 cRLSign. */
export function keyUsage(bits: readonly number[], isCritical = true): Buffer {
  const value = bits.reduce((sum, bit) => sum | (0x80 >> bit), 0);
  const unused = 7 - Math.max(...bits);
  return extension('2.5.29.15', bitString(Buffer.from([value & 255]), unused), isCritical);
}

export function basicConstraints(isCa: boolean, pathLength?: number): Buffer {
  const length = pathLength === undefined ? [] : [integer(Buffer.from([pathLength]))];
  return extension('2.5.29.19', sequence(...(isCa ? [der(0x01, Buffer.from([0xff])), ...length] : [])), true);
}

export function purposes(...ids: readonly string[]): Buffer {
  return extension('2.5.29.37', sequence(...ids.map(oid)));
}

export const ofAuthority = (pathLength?: number) => [basicConstraints(true, pathLength), keyUsage([5, 6])];
export const ofSigner = () => [keyUsage([0]), purposes('1.3.6.1.5.5.7.3.3')];

export function nameOf(text: string): Buffer {
  const parts = text === '' ? [] : text.split(', ').map((part) => part.split('='));
  return sequence(
    ...parts.map(([key = '', value = '']) => der(0x31, sequence(oid(ATTRIBUTES[key] ?? key), utf8(value)))),
  );
}

function keyOf(kind: CertificateOptions['kind'] = 'P-256'): KeyObject {
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  return generateKeyPairSync('ec', { namedCurve: kind }).privateKey;
}

/** A certificate and the key that it is for; by default one that signs itself and code. */
export function createCertificate(options: CertificateOptions = {}): Holder {
  const privateKey = options.privateKey ?? keyOf(options.kind);
  const name = nameOf(options.subject ?? 'C=DE, ST=BY, O=corp, CN=release');
  const serialNumber = Buffer.concat([Buffer.from([1]), randomBytes(8)]);
  const signer = options.issuer ?? { privateKey, name };
  const tbs = tbsOf({ ...options, issuerName: signer.name, name, serialNumber, privateKey, signer });
  const certificate = signedBy(signer.privateKey, tbs, options.hash);
  return { privateKey, der: certificate, pem: pemOf('CERTIFICATE', certificate), name, serialNumber };
}

/** What is signed of a certificate. */
export function tbsOf(options: {
  readonly issuerName: Buffer;
  readonly name: Buffer;
  readonly serialNumber: Buffer;
  readonly privateKey: KeyObject;
  readonly signer: { readonly privateKey: KeyObject };
  readonly fromMs?: number;
  readonly untilMs?: number;
  readonly extensions?: readonly Buffer[];
  readonly hash?: 'sha256' | 'sha1';
}): Buffer {
  const {
    fromMs = Date.now() - DAY_MS,
    untilMs = Date.now() + 30 * DAY_MS,
    extensions = ofSigner(),
  } = options;
  return sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(options.serialNumber),
    algorithmOf(options.signer.privateKey, options.hash),
    options.issuerName,
    sequence(timeOf(fromMs), timeOf(untilMs)),
    options.name,
    createPublicKey(options.privateKey).export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
}

export function signedBy(privateKey: KeyObject, tbs: Buffer, hash?: 'sha256' | 'sha1'): Buffer {
  const signature = sign(hash ?? 'sha256', tbs, privateKey);
  return sequence(tbs, algorithmOf(privateKey, hash), bitString(signature));
}

/** PEM of a list by which the authority revokes these certificates. */
export function createRevocationList(
  issuer: Pick<Holder, 'privateKey' | 'name'>,
  revoked: readonly Pick<Holder, 'serialNumber'>[],
  options: { fromMs?: number; untilMs?: number; isEndless?: true; extensions?: readonly Buffer[] } = {},
): string {
  const { fromMs = Date.now() - DAY_MS, untilMs = Date.now() + DAY_MS } = options;
  const entries = revoked.map((one) => sequence(integer(one.serialNumber), timeOf(fromMs)));
  const tbs = sequence(
    integer(Buffer.from([1])),
    algorithmOf(issuer.privateKey),
    issuer.name,
    timeOf(fromMs),
    ...(options.isEndless ? [] : [timeOf(untilMs)]),
    ...(entries.length > 0 ? [sequence(...entries)] : []),
    ...(options.extensions ? [der(0xa0, sequence(...options.extensions))] : []),
  );
  return pemOf('X509 CRL', signedBy(issuer.privateKey, tbs));
}

function algorithmOf(privateKey: KeyObject, hash = 'sha256'): Buffer {
  const kind = privateKey.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec';
  const parameters = kind === 'rsa' ? [der(0x05)] : [];
  return sequence(oid(ALGORITHMS[`${kind} ${hash}`] ?? ''), ...parameters);
}

function timeOf(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');
  return der(0x18, Buffer.from(digits));
}

export function pemOf(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
