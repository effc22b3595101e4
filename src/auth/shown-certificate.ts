import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** The certificate that a client showed in its handshake, as the handshake judged it. */
export interface ShownCertificate {
  /** In hexadecimal, for the record. */
  readonly serial: string;
  /** `CN=ci,O=corp`: the parts in the order of the certificate. */
  readonly subject: string;
  /** `DNS:ci.corp`, `URI:spiffe://corp/ci`, `email:ci@corp` ... */
  readonly names: readonly string[];
  /** Why it is not believed: `expired`, `revoked`, `authority`, `purpose`, `stale` or `invalid`. */
  readonly problem?: string;
}

/** id-kp-clientAuth. @see RFC 5280 chapter 4.2.1.12 */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const PROBLEMS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'expired',
  CERT_REVOKED: 'revoked',
  CRL_HAS_EXPIRED: 'revocation-list',
  CRL_NOT_YET_VALID: 'revocation-list',
  UNABLE_TO_GET_CRL: 'revocation-list',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'authority',
  UNABLE_TO_GET_ISSUER_CERT: 'authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'authority',
  INVALID_PURPOSE: 'purpose',
};
const NAME = /(?:^|, )((?:DNS|URI|email|IP Address):(?:"(?:[^"\\]|\\.)*"|[^",]*))/g;

const shownOn = new WeakMap<Socket, ShownCertificate | undefined>();

/** What the client of a connection has shown; read once, since a connection carries many requests. */
export function certificateOf(socket: Socket): ShownCertificate | undefined {
  if (!shownOn.has(socket)) shownOn.set(socket, socket instanceof TLSSocket ? read(socket) : undefined);
  return shownOn.get(socket);
}

/** A revocation list has changed: what was believed before must be shown again, on a new connection. */
export function forgetCertificate(socket: Socket): void {
  const shown = certificateOf(socket);
  if (shown) shownOn.set(socket, { ...shown, problem: shown.problem ?? 'stale' });
}

function read(socket: TLSSocket): ShownCertificate | undefined {
  const raw = socket.getPeerCertificate(false)?.raw;
  if (raw === undefined) return undefined;
  const certificate = new X509Certificate(raw);
  const problem = problemOf(socket, certificate);
  return {
    serial: certificate.serialNumber,
    subject: certificate.subject.split('\n').join(','),
    names: [...(certificate.subjectAltName ?? '').matchAll(NAME)].map(([, name = '']) => name),
    ...(problem === undefined ? {} : { problem }),
  };
}

function problemOf(socket: TLSSocket, certificate: X509Certificate): string | undefined {
  if (!socket.authorized) return PROBLEMS[String(socket.authorizationError)] ?? 'invalid';
  // A server's certificate, or one for anything, was not issued to sign in with.
  return certificate.keyUsage?.includes(CLIENT_AUTH) ? undefined : 'purpose';
}
