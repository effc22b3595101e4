import { type KeyObject, sign } from 'node:crypto';
import { isIP } from 'node:net';
import forge from 'node-forge';
import { addressBytes } from './names.ts';

const { asn1 } = forge;
const { Class, Type } = asn1;
type Asn1 = forge.asn1.Asn1;

/**
 * What goes into a certificate. Signed with ECDSA over SHA-256: forge builds the structure, node:crypto signs, since
 * forge knows no EC keys. Nothing is ever verified here.
 */
export interface CertificateContent {
  /** 16 random bytes. */
  readonly serial: Uint8Array;
  readonly subject: string;
  readonly issuer: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly publicKey: KeyObject;
  readonly subjectKeyId: Uint8Array;
  readonly issuerKeyId: Uint8Array;
  /** Host names and addresses of a server; an authority that may sign servers only has none. */
  readonly names: readonly string[] | 'authority';
}

const OID = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  subjectAltName: '2.5.29.17',
  subjectKeyIdentifier: '2.5.29.14',
  authorityKeyIdentifier: '2.5.29.35',
} as const;

/**
 * Builds and signs one certificate.
 *
 * @param issuerKey a private key on P-256.
 * @returns PEM.
 * @see RFC 5280, 4.1 and 4.2; RFC 5758, 3.2 (ECDSA).
 */
export function issueCertificate(content: CertificateContent, issuerKey: KeyObject): string {
  const tbs = toBeSigned(content);
  const signature = sign('sha256', Buffer.from(derOf(tbs), 'binary'), issuerKey);
  const bits = node(Type.BITSTRING, `\0${signature.toString('binary')}`);
  const der = Buffer.from(derOf(sequence(tbs, signatureAlgorithm(), bits)), 'binary');
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function toBeSigned(content: CertificateContent): Asn1 {
  const version3 = context(0, [node(Type.INTEGER, '\x02')]);
  const spki = content.publicKey.export({ type: 'spki', format: 'der' });
  return sequence(
    version3,
    node(Type.INTEGER, serialNumber(content.serial)),
    signatureAlgorithm(),
    distinguishedName(content.issuer),
    sequence(time(content.fromMs), time(content.untilMs)),
    distinguishedName(content.subject),
    asn1.fromDer(spki.toString('binary')),
    context(3, [sequence(...extensions(content))]),
  );
}

function extensions(content: CertificateContent): readonly Asn1[] {
  const { names, subjectKeyId, issuerKeyId } = content;
  const keyIds = [
    extension(OID.subjectKeyIdentifier, node(Type.OCTETSTRING, binary(subjectKeyId))),
    extension(
      OID.authorityKeyIdentifier,
      sequence(asn1.create(Class.CONTEXT_SPECIFIC, 0, false, binary(issuerKeyId))),
    ),
  ];
  if (names === 'authority') {
    const isAuthority = node(Type.BOOLEAN, '\xff');
    const pathLength = node(Type.INTEGER, '\0');
    return [
      extension(OID.basicConstraints, sequence(isAuthority, pathLength), true),
      // keyCertSign (bit 5) and cRLSign (bit 6): one unused bit.
      extension(OID.keyUsage, node(Type.BITSTRING, '\x01\x06'), true),
      ...keyIds,
    ];
  }
  return [
    extension(OID.basicConstraints, sequence(), true),
    // digitalSignature (bit 0): seven unused bits.
    extension(OID.keyUsage, node(Type.BITSTRING, '\x07\x80'), true),
    extension(OID.extendedKeyUsage, sequence(objectId(OID.serverAuth))),
    extension(OID.subjectAltName, sequence(...names.map(alternativeName))),
    ...keyIds,
  ];
}

/** A positive number of exactly 16 bytes, whatever the random bytes were. */
function serialNumber(random: Uint8Array): string {
  const bytes = Uint8Array.from(random);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return binary(bytes);
}

/** GeneralName: iPAddress (7) or dNSName (2). */
function alternativeName(name: string): Asn1 {
  if (isIP(name) === 0) return asn1.create(Class.CONTEXT_SPECIFIC, 2, false, name);
  return asn1.create(Class.CONTEXT_SPECIFIC, 7, false, binary(addressBytes(name)));
}

function distinguishedName(commonName: string): Asn1 {
  const attribute = sequence(objectId(OID.commonName), node(Type.UTF8, forge.util.encodeUtf8(commonName)));
  return sequence(asn1.create(Class.UNIVERSAL, Type.SET, true, [attribute]));
}

/** UTCTime up to the year 2049, GeneralizedTime after. @see RFC 5280, 4.1.2.5 */
function time(atMs: number): Asn1 {
  const date = new Date(atMs);
  return date.getUTCFullYear() < 2050
    ? node(Type.UTCTIME, asn1.dateToUtcTime(date))
    : node(Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date));
}

function extension(oid: string, value: Asn1, isCritical = false): Asn1 {
  const critical = isCritical ? [node(Type.BOOLEAN, '\xff')] : [];
  return sequence(objectId(oid), ...critical, node(Type.OCTETSTRING, derOf(value)));
}

function signatureAlgorithm(): Asn1 {
  return sequence(objectId(OID.ecdsaWithSha256));
}

function objectId(oid: string): Asn1 {
  return node(Type.OID, asn1.oidToDer(oid).getBytes());
}

function sequence(...parts: readonly Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...parts]);
}

function context(tag: number, parts: Asn1[]): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, tag, true, parts);
}

function node(type: forge.asn1.Type, value: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, type, false, value);
}

/** forge speaks "binary strings": one character a byte. */
function derOf(value: Asn1): string {
  return asn1.toDer(value).getBytes();
}

function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('binary');
}
