import { isIP } from 'node:net';
import { connect } from 'node:tls';

export type Handshake =
  | { readonly kind: 'trusted' }
  | { readonly kind: 'untrusted'; readonly reason: string }
  | { readonly kind: 'away' };

/** Longest wait for a name to be looked up, a connection and a handshake together. */
const WAIT_MS = 10_000;

/** @param host `reg.corp:8443`; without a port 443. @param pem the only certificates that are trusted. */
export function shakeHands(host: string, pem: string): Promise<Handshake> {
  const { hostname, port } = new URL(`https://${host}`);
  const name = hostname.replace(/^\[(.*)\]$/, '$1');
  return new Promise((resolve) => {
    const socket = connect({
      host: name,
      port: Number(port || 443),
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ca: pem,
      // Whatever the environment says: this is what is asked.
      rejectUnauthorized: true,
    });
    let isConnected = false;
    const end = (result: Handshake): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const failedBy = (reason: string): Handshake =>
      isConnected ? { kind: 'untrusted', reason } : { kind: 'away' };
    const timer = setTimeout(() => end(failedBy(`no handshake within ${WAIT_MS / 1000} s`)), WAIT_MS);
    socket.once('connect', () => {
      isConnected = true;
    });
    socket.once('secureConnect', () => end({ kind: 'trusted' }));
    // Not once: what a destroyed socket says later concerns nobody.
    socket.on('error', (error) => end(failedBy(error.message.split('\n')[0] ?? '')));
  });
}
