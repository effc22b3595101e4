import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dockgate } from '../test/support/dockgate.ts';
import { run } from '../test/support/run.ts';

/** What a registry needs that takes dockgate's tokens, and the certificate that all servers show. */
export interface Tokens {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** PEM of a certificate of the key that signs, for registries that read keys from nothing else. */
  readonly keyCertificate: string;
  /** JSON Web Key Set, as dockgate publishes it. */
  readonly jwks: string;
  readonly tls: { readonly certificate: string; readonly key: string; readonly ca: string };
  /** A token as dockgate has issued it. */
  plain(repository?: string): Promise<string>;
  /** The same claims and the same key; only the key's name in its header is spelled as docker-registry 2.8 does. */
  forDockerRegistry(repository?: string): Promise<string>;
}

export async function createTokens(server: Dockgate, plain: Tokens['plain']): Promise<Tokens> {
  const directory = join(server.data, 'keys', 'tokens');
  const path = join(directory, readdirSync(directory).filter((name) => name.endsWith('.pem'))[0] ?? '');
  const key = createPrivateKey(readFileSync(path));
  const kid = fingerprintOf(key);
  const { output } = await run('openssl', [
    ...['req', '-x509', '-new', '-key', path, '-subj', '/CN=bench', '-days', '2'],
  ]);
  const certs = join(server.directory, 'certs');
  return {
    ...{
      realm: `${server.url}/token`,
      service: 'dockgate',
      issuer: server.url,
      keyCertificate: output,
      plain,
    },
    jwks: (await server.request('/.well-known/jwks.json')).text,
    tls: {
      certificate: readFileSync(join(certs, 'server.crt'), 'utf8'),
      key: readFileSync(join(certs, 'server.key'), 'utf8'),
      ca: server.ca,
    },
    async forDockerRegistry(repository) {
      const [, claims = ''] = (await plain(repository)).split('.');
      const header = Buffer.from(JSON.stringify({ typ: 'JWT', alg: 'ES256', kid })).toString('base64url');
      const signature = sign('sha256', Buffer.from(`${header}.${claims}`), {
        key,
        dsaEncoding: 'ieee-p1363',
      });
      return `${header}.${claims}.${signature.toString('base64url')}`;
    },
  };
}

/** @see docker/libtrust: 240 bits of the SHA-256 of the public key, in base32, in groups of four. */
function fingerprintOf(key: KeyObject): string {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const bytes = createHash('sha256').update(spki).digest().subarray(0, 30);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join('');
  return (letters.match(/.{4}/g) ?? []).join(':');
}
