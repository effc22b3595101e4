import type { KeyObject, X509Certificate } from 'node:crypto';
import {
  type Clock,
  createFileDurably,
  DAY_MS,
  HOUR_MS,
  type Random,
  readPrivateFile,
  StartError,
} from '../base/index.ts';
import { issueCertificate } from './certificate.ts';
import { type CertificateFiles, readPublicFile } from './files.ts';
import { keyIdOf, newPrivateKey, publicKeyOf, readCertificates, readPrivateKey } from './key-pair.ts';

const LIFETIME_MS = 3650 * DAY_MS;
/** Clients whose clock is a little behind accept a certificate made just now. */
export const BACKDATE_MS = HOUR_MS;

/** The local CA: its key is read to issue and renew, and kept nowhere else. */
export interface Authority {
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
  readonly pem: string;
  readonly commonName: string;
  readonly keyId: Uint8Array;
}

export interface AuthorityParts {
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * The CA of the directory; makes what is missing of it, the key first. A crash between the two leaves a key, for
 * which the next start makes the certificate.
 *
 * @throws {StartError} a key or certificate that is there but unusable. A new CA is never made in its place: every
 *   client would have to trust it anew, and nobody would know why.
 */
export async function ensureAuthority(files: CertificateFiles, parts: AuthorityParts): Promise<Authority> {
  const existing = await readPublicFile(files.caCertificate);
  if (existing === undefined) await createFileDurably(files.caKey, newPrivateKey(), 0o600);
  const pem = await readPrivateFile(files.caKey);
  if (pem === undefined) {
    throw new StartError(
      `${files.caKey} is missing, and a server certificate is to be issued: put it back, or supply your own ` +
        `${files.certificate} and ${files.key}; or remove ${files.caCertificate} to have a new CA made, which every ` +
        'client must then trust anew',
    );
  }
  const key = readPrivateKey(files.caKey, pem);
  refuseOtherCurve(files, key);
  if (existing === undefined) await createFileDurably(files.caCertificate, selfSigned(key, parts), 0o644);
  return checked(files, key, (await readPublicFile(files.caCertificate)) ?? '', parts.clock);
}

function refuseOtherCurve(files: CertificateFiles, key: KeyObject): void {
  if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return;
  throw new StartError(
    `${files.caKey} is not a P-256 key: to use another CA, issue ${files.certificate} with it, put it and ` +
      `${files.key} here, and take ${files.caKey} away`,
  );
}

function selfSigned(key: KeyObject, { clock, random }: AuthorityParts): string {
  const publicKey = publicKeyOf(key);
  const keyId = keyIdOf(publicKey);
  const name = commonNameOf(keyId);
  const nowMs = clock.nowMs();
  return issueCertificate(
    {
      serial: random.bytes(16),
      subject: name,
      issuer: name,
      fromMs: nowMs - BACKDATE_MS,
      untilMs: nowMs + LIFETIME_MS,
      publicKey,
      subjectKeyId: keyId,
      issuerKeyId: keyId,
      names: 'authority',
    },
    key,
  );
}

/** Part of the key's id, so that a client that trusts two gateways can tell their authorities apart. */
function commonNameOf(keyId: Uint8Array): string {
  return `dockgate local CA ${Buffer.from(keyId).toString('hex', 0, 4)}`;
}

function checked(files: CertificateFiles, key: KeyObject, pem: string, clock: Clock): Authority {
  const [certificate] = readCertificates(files.caCertificate, pem);
  if (!certificate.checkPrivateKey(key)) {
    throw new StartError(
      `${files.caCertificate} and ${files.caKey} do not belong together: restore both from one copy`,
    );
  }
  const commonName = /^CN=(.*)$/m.exec(certificate.subject)?.[1];
  if (!certificate.ca || commonName === undefined) {
    throw new StartError(`${files.caCertificate} is not the certificate of a CA made here`);
  }
  if (certificate.validToDate.getTime() <= clock.nowMs()) {
    throw new StartError(
      `${files.caCertificate} expired on ${certificate.validToDate.toISOString().slice(0, 10)}: remove it and ` +
        `${files.caKey} to have a new CA made, which every client must then trust`,
    );
  }
  return { key, certificate, pem, commonName, keyId: keyIdOf(certificate.publicKey) };
}
