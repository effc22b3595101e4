import { createHash, createPublicKey, createSign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDockerRegistry } from '../test/support/docker-registry.ts';
import { type Dockgate, startDockgate } from '../test/support/dockgate.ts';
import { familyOf } from './processes.ts';
import type { Target } from './push.ts';
import { UNLIMITED } from './unlimited.ts';

/** One of the servers that are compared. */
export interface Peer extends Target {
  readonly name: string;
  /** Every process that works for it. */
  pids(): readonly number[];
  /** A token that lives longer than one measurement. */
  token(repository: string): Promise<string>;
  /** Ends all that it started. */
  stop(): Promise<void>;
}

export interface Gateway extends Peer {
  /** Its directory of certificates. */
  readonly certs: string;
}

const ACCOUNT = { name: 'bench', password: 'correct-horse-battery-9' };
const TOKEN_SECONDS = 300;

/** The gateway with its embedded registry and everything that it does by default. */
export async function startGateway(): Promise<Gateway> {
  return gatewayPeer('dockgate', await startServer(), async () => {});
}

/** The gateway in front of a registry of its own. */
export async function startGatewayInFront(): Promise<Peer> {
  const registry = await startDockerRegistry({ remembersBlobs: true });
  try {
    const server = await startServer(`upstreams:\n  - prefix: ""\n    url: ${registry.url}\n`);
    const peer = gatewayPeer('dockgate in front of docker-registry', server, registry.stop);
    return { ...peer, pids: () => [...peer.pids(), registry.pid] };
  } catch (error) {
    await registry.stop();
    throw error;
  }
}

/**
 * The registry that Debian ships, with TLS and tokens of its own: the gateway's certificate, so that both shake the
 * same hands, and tokens of the same algorithm.
 */
export async function startRegistry(gateway: Gateway): Promise<Peer> {
  const certificate = readFileSync(join(gateway.certs, 'server.crt'), 'utf8');
  const key = readFileSync(join(gateway.certs, 'server.key'), 'utf8');
  const registry = await startDockerRegistry({
    tls: { certificate, key },
    token: { realm: 'https://localhost/token', service: 'bench', issuer: 'bench', certificates: certificate },
    remembersBlobs: true,
  });
  return {
    name: 'docker-registry',
    origin: registry.url,
    ca: gateway.ca,
    pids: () => familyOf(registry.pid),
    token: async (repository) => registryToken(certificate, key, repository),
    stop: registry.stop,
  };
}

async function startServer(config = ''): Promise<Dockgate> {
  const server = await startDockgate({ config: config + UNLIMITED });
  await server.addUser(ACCOUNT.name, ACCOUNT.password, ['developer', '**']);
  return server;
}

function gatewayPeer(name: string, server: Dockgate, alsoStop: () => Promise<void>): Gateway {
  return {
    name,
    origin: server.url,
    ca: server.ca,
    certs: join(server.directory, 'certs'),
    pids: () => familyOf(server.pid),
    token: (repository) =>
      server.token(`${ACCOUNT.name}:${ACCOUNT.password}`, `repository:${repository}:pull,push`),
    async stop() {
      await server.remove();
      await alsoStop();
    },
  };
}

/** As docker-registry 2.8 reads it: `kid` is the fingerprint of the key in the bundle that it was given. */
function registryToken(certificate: string, key: string, repository: string): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const nowSeconds = Math.floor(Date.now() / 1000);
  const claims = {
    ...{ iss: 'bench', sub: ACCOUNT.name, aud: 'bench', jti: 'bench' },
    ...{ iat: nowSeconds, nbf: nowSeconds - 60, exp: nowSeconds + TOKEN_SECONDS },
    access: [{ type: 'repository', name: repository, actions: ['pull', 'push'] }],
  };
  const signed = `${encode({ typ: 'JWT', alg: 'ES256', kid: fingerprintOf(certificate) })}.${encode(claims)}`;
  const signature = createSign('sha256').update(signed).sign({ key, dsaEncoding: 'ieee-p1363' }, 'base64url');
  return `${signed}.${signature}`;
}

/** @see docker/libtrust: 240 bits of the SHA-256 of the public key, in base32, in groups of four. */
function fingerprintOf(certificate: string): string {
  const spki = createPublicKey(certificate).export({ type: 'spki', format: 'der' });
  const bytes = createHash('sha256').update(spki).digest().subarray(0, 30);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join('');
  return (letters.match(/.{4}/g) ?? []).join(':');
}
