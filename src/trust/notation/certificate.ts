import { X509Certificate } from 'node:crypto';
import { type ASN1Obj, X509Certificate as Parsed } from '@sigstore/core';

/** What of a certificate decides whether a signature by it counts. */
export interface Certificate {
  readonly x509: X509Certificate;
  /** DER of the names, as they are compared. */
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly serialNumber: Buffer;
  /** Bits of RFC 5280, 4.2.1.3, those that are set; absent: no such extension. */
  readonly keyUsage: ReadonlySet<number> | undefined;
  readonly isKeyUsageCritical: boolean;
  readonly basicConstraints: BasicConstraints | undefined;
  /** Says where one may ask whether it was revoked. */
  readonly namesRevocationService: boolean;
}

interface BasicConstraints {
  readonly isCa: boolean;
  readonly isCritical: boolean;
  readonly pathLengthMax: number;
}

const KEY_USAGE = '2.5.29.15';
const CRL_DISTRIBUTION_POINTS = '2.5.29.31';
const OCSP = '1.3.6.1.5.5.7.48.1';

/** @throws {Error} it is no certificate, or says one thing twice. */
export function readCertificate(source: Buffer | string): Certificate {
  const x509 = new X509Certificate(source);
  const parsed = Parsed.parse(Buffer.from(x509.raw));
  const names = parsed.extensions.map((one) => one.subs[0]?.toOID());
  if (new Set(names).size !== names.length) throw new Error('an extension is there twice');
  const keyUsage = parsed.extension(KEY_USAGE);
  return {
    x509,
    subject: parsed.subject,
    issuer: parsed.issuer,
    serialNumber: parsed.serialNumber,
    keyUsage: keyUsage && bitsOf(keyUsage.valueObj.subs[0]),
    isKeyUsageCritical: keyUsage?.critical ?? false,
    basicConstraints: constraintsOf(parsed),
    namesRevocationService:
      parsed.extension(CRL_DISTRIBUTION_POINTS) !== undefined ||
      (x509.infoAccess ?? '').includes('OCSP') ||
      (x509.infoAccess ?? '').includes(OCSP),
  };
}

function bitsOf(value: ASN1Obj | undefined): ReadonlySet<number> {
  return new Set(value?.toBitString().flatMap((bit, index) => (bit === 1 ? [index] : [])));
}

function constraintsOf(parsed: Parsed): BasicConstraints | undefined {
  const found = parsed.extBasicConstraints;
  if (!found) return undefined;
  const length = found.pathLenConstraint;
  return {
    isCa: found.isCA,
    isCritical: found.critical,
    pathLengthMax: length === undefined ? Number.POSITIVE_INFINITY : Number(length),
  };
}
