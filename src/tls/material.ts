import type { KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { createFileDurably, DAY_MS, readPrivateFile, replaceFileDurably, StartError } from '../base/index.ts';
import { type Authority, type AuthorityParts, BACKDATE_MS, ensureAuthority } from './authority.ts';
import { issueCertificate } from './certificate.ts';
import { type CertificateFiles, readPublicFile } from './files.ts';
import { keyIdOf, newPrivateKey, publicKeyOf, readCertificates, readPrivateKey } from './key-pair.ts';

const LIFETIME_MS = 90 * DAY_MS;
const RENEW_BEFORE_MS = 30 * DAY_MS;

/** A server's certificate with the key that belongs to it. */
export interface Material {
  readonly key: string;
  /** The server's certificate and what stands between it and the CA, as PEM. */
  readonly chain: string;
  readonly certificate: X509Certificate;
}

/**
 * Reads the pair that is there.
 *
 * @returns `undefined` when there is no certificate (yet).
 * @throws {StartError} half a pair, two halves that do not match, or an unusable file; names it.
 */
export async function readMaterial(files: CertificateFiles): Promise<Material | undefined> {
  const chain = await readPublicFile(files.certificate);
  if (chain === undefined) return undefined;
  const key = await readPrivateFile(files.key);
  if (key === undefined) {
    throw new StartError(
      `${files.key} is missing, ${files.certificate} is there: put it back, or remove both`,
    );
  }
  const [certificate] = readCertificates(files.certificate, chain);
  if (!certificate.checkPrivateKey(readPrivateKey(files.key, key))) {
    throw new StartError(`${files.certificate} and ${files.key} do not belong together: replace both`);
  }
  return { key, chain, certificate };
}

/**
 * The pair that is there, or a new one: issued when there is none, and again when it ends within 30 days or lacks
 * one of `names`. A pair that the local CA did not issue is the operator's own, and never touched. The key is written
 * first and kept at renewal, so that no crash can leave a certificate without its key; what a crash left undone is
 * done by the next call.
 */
export async function ensureMaterial(
  files: CertificateFiles,
  names: readonly string[],
  parts: AuthorityParts,
): Promise<Material> {
  const present = await readMaterial(files);
  if (present && !(await isIssuedHere(files, present.certificate))) return present;
  if (!present) await refuseForeignKey(files);
  const authority = await ensureAuthority(files, parts);
  if (present && isGood(present.certificate, names, parts.clock.nowMs())) return present;
  await createFileDurably(files.key, newPrivateKey(), 0o600);
  const pem = (await readPrivateFile(files.key)) ?? '';
  const chain = issueServer(authority, readPrivateKey(files.key, pem), names, parts) + authority.pem;
  await replaceFileDurably(files.certificate, chain, 0o644);
  const [certificate] = readCertificates(files.certificate, chain);
  return { key: pem, chain, certificate };
}

/** By the CA whose key is here: without that key the certificate could not be renewed here. */
async function isIssuedHere(files: CertificateFiles, certificate: X509Certificate): Promise<boolean> {
  const pem = await readPrivateFile(files.caKey);
  return pem !== undefined && certificate.verify(publicKeyOf(readPrivateKey(files.caKey, pem)));
}

/** A server key without certificate is ours only when a CA key is beside it, which is made first. */
async function refuseForeignKey(files: CertificateFiles): Promise<void> {
  if ((await readPrivateFile(files.caKey)) !== undefined) return;
  if ((await readPrivateFile(files.key)) === undefined) return;
  throw new StartError(`${files.certificate} is missing, ${files.key} is there: put both there, or neither`);
}

function isGood(certificate: X509Certificate, names: readonly string[], nowMs: number): boolean {
  const restMs = certificate.validToDate.getTime() - nowMs;
  return restMs > RENEW_BEFORE_MS && missingNames(certificate, names).length === 0;
}

/** Names for which a client would not accept the certificate. */
export function missingNames(certificate: X509Certificate, names: readonly string[]): readonly string[] {
  const listed = (certificate.subjectAltName ?? '').split(', ');
  return names.filter((name) => {
    if (isIP(name) !== 0) return certificate.checkIP(name) === undefined;
    return !listed.includes(`DNS:${name}`) && certificate.checkHost(name) === undefined;
  });
}

function issueServer(
  authority: Authority,
  key: KeyObject,
  names: readonly string[],
  { clock, random }: AuthorityParts,
): string {
  const publicKey = publicKeyOf(key);
  const nowMs = clock.nowMs();
  return issueCertificate(
    {
      serial: random.bytes(16),
      subject: 'dockgate server',
      issuer: authority.commonName,
      fromMs: nowMs - BACKDATE_MS,
      untilMs: Math.min(nowMs + LIFETIME_MS, authority.certificate.validToDate.getTime()),
      publicKey,
      subjectKeyId: keyIdOf(publicKey),
      issuerKeyId: authority.keyId,
      names,
    },
    authority.key,
  );
}
