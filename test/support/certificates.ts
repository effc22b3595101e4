import { randomBytes } from 'node:crypto';
import forge from 'node-forge';

export interface TestCertificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

export interface TestCertificateOptions {
  /** Names and addresses it is for; `127.0.0.1` and `localhost` unless said. */
  readonly names?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Who signs it; itself when absent, and then it is its own authority. */
  readonly issuer?: TestCertificate;
}

/** Makes a certificate for a test's own server (RSA 2048, SHA-256). */
export function createTestCertificate(options: TestCertificateOptions = {}): TestCertificate {
  const keys = forge.pki.rsa.generateKeyPair(2048);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = keys.publicKey;
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  certificate.validity.notBefore = options.notBefore ?? new Date(Date.now() - 86_400_000);
  certificate.validity.notAfter = options.notAfter ?? new Date(Date.now() + 86_400_000);
  const subject = [{ name: 'commonName', value: `test ${randomBytes(4).toString('hex')}` }];
  const issuer = options.issuer && {
    certificate: forge.pki.certificateFromPem(options.issuer.certificate),
    key: forge.pki.privateKeyFromPem(options.issuer.key),
  };
  certificate.setSubject(subject);
  certificate.setIssuer(issuer ? issuer.certificate.subject.attributes : subject);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: !issuer, critical: true },
    { name: 'subjectAltName', altNames: (options.names ?? ['127.0.0.1', 'localhost']).map(altName) },
  ]);
  certificate.sign(issuer?.key ?? keys.privateKey, forge.md.sha256.create());
  return {
    certificate: forge.pki.certificateToPem(certificate),
    key: forge.pki.privateKeyToPem(keys.privateKey),
  };
}

function altName(name: string) {
  return /^[\d.]+$/.test(name) ? { type: 7, ip: name } : { type: 2, value: name };
}
