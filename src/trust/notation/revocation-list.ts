import { verify } from 'node:crypto';
import { ASN1Obj } from '@sigstore/core';
import { StartError } from '../../base/index.ts';
import type { Certificate } from './certificate.ts';

/** What one authority says of the certificates that it issued. */
export interface RevocationList {
  /** DER of the name of who says so. */
  readonly issuer: Buffer;
  readonly signed: Buffer;
  readonly signature: Buffer;
  readonly hash: string;
  readonly fromMs: number;
  /** Half-open: then there is a newer list, and this one says nothing any more. */
  readonly untilMs: number;
  /** Serial numbers, in hex. */
  readonly revoked: ReadonlySet<string>;
}

const PEM = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g;
const HASHES = new Map([
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
]);
const INTEGER = 0x02;
const SEQUENCE = 0x30;
const TIMES: readonly number[] = [0x17, 0x18];
const EXTENSIONS = 0xa0;
const TRUE = 0x01;
const CRL_SIGN = 6;

/**
 * Reads full revocation lists in PEM.
 *
 * @throws {StartError} one cannot be read, has no end, is signed with SHA-1, or speaks of a part only (a delta, an
 *   indirect list, or any other critical extension).
 * @see RFC 5280, chapter 5.
 */
export function readRevocationLists(pem: string, where: string): readonly RevocationList[] {
  const found = [...pem.matchAll(PEM)].map(([, base64 = '']) =>
    readOne(Buffer.from(base64, 'base64'), where),
  );
  if (found.length === 0) throw new StartError(`${where} holds no list in PEM ("BEGIN X509 CRL")`);
  return found;
}

function readOne(der: Buffer<ArrayBuffer>, where: string): RevocationList {
  try {
    return parse(ASN1Obj.parseBuffer(der));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`${where} holds a revocation list that cannot be used: ${reason}`);
  }
}

function parse({ subs: [list, algorithm, signature] }: ASN1Obj): RevocationList {
  const rest = [...(list?.subs ?? [])];
  if (tagOf(rest[0]) === INTEGER) rest.shift();
  const [, issuer, from, until, ...more] = rest;
  const hash = HASHES.get(algorithm?.subs[0]?.toOID() ?? '');
  if (!list || !issuer || !from || !signature || !hash)
    throw new Error('it is none, or signed in a way that is not allowed');
  if (!until || !TIMES.includes(tagOf(until) ?? 0)) throw new Error('it does not say until when it holds');
  const isPartial = more
    .filter((one) => tagOf(one) === EXTENSIONS)
    .flatMap((one) => one.subs[0]?.subs ?? [])
    .some(isCritical);
  if (isPartial) throw new Error('it is no full list of its own authority');
  const entries = more.find((one) => tagOf(one) === SEQUENCE)?.subs ?? [];
  return {
    issuer: issuer.value,
    signed: list.toDER(),
    signature: signature.value.subarray(1),
    hash,
    fromMs: from.toDate().getTime(),
    untilMs: until.toDate().getTime(),
    revoked: new Set(entries.map((entry) => entry.subs[0]?.value.toString('hex') ?? '')),
  };
}

function isCritical(extension: ASN1Obj): boolean {
  return tagOf(extension.subs[1]) === TRUE;
}

/** The first byte of its DER: class, form and number. */
function tagOf(one: ASN1Obj | undefined): number | undefined {
  return one?.tag.toDER();
}

/** What the lists say of one certificate: until when it is known to be good, or that it is not. */
export type Standing = { readonly untilMs: number } | 'revoked' | 'unknown';

/** @returns `unknown` when no list of its issuer is in date. */
export function standingOf(
  certificate: Certificate,
  issuer: Certificate,
  lists: readonly RevocationList[],
  nowMs: number,
): Standing {
  const own = lists.filter((list) => list.issuer.equals(certificate.issuer) && isSignedBy(list, issuer));
  // A list that is out of date still knows what was revoked when it was made.
  if (own.some((list) => list.revoked.has(certificate.serialNumber.toString('hex')))) return 'revoked';
  const untilMs = Math.max(...own.filter((list) => list.fromMs <= nowMs).map((list) => list.untilMs));
  return nowMs < untilMs ? { untilMs } : 'unknown';
}

function isSignedBy({ hash, signed, signature }: RevocationList, { x509, keyUsage }: Certificate): boolean {
  return keyUsage?.has(CRL_SIGN) === true && verify(hash, signed, x509.publicKey, signature);
}
