import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startZot } from '../test/conformance/zot.ts';
import { type DockerRegistry, startDockerRegistry } from '../test/support/docker-registry.ts';
import { freePort } from '../test/support/free-port.ts';
import { goProgram } from '../test/support/go-program.ts';
import { listens } from '../test/support/listens.ts';
import { until } from '../test/support/until.ts';
import { PEERS, type Peer, type PeerId } from './peer.ts';
import { familyOf } from './processes.ts';
import type { Tokens } from './tokens.ts';

/** As Debian configures it: sizes of blobs in memory, no access log. */
const LIKE_DEBIAN = { remembersBlobs: true } as const;

/** The registry that Debian ships, with TLS and with dockgate's tokens. */
export async function startRegistry(tokens: Tokens): Promise<Peer> {
  const registry = await startDockerRegistry({ ...LIKE_DEBIAN, tls: tokens.tls, token: tokenOf(tokens) });
  return registryPeer('docker-registry', registry, tokens.tls.ca, tokens.forDockerRegistry);
}

/** Its successor, which reads the key set that dockgate publishes. */
export async function startDistribution(tokens: Tokens): Promise<Peer> {
  const registry = await startDockerRegistry({
    ...LIKE_DEBIAN,
    program: goProgram('distribution'),
    tls: tokens.tls,
    token: { ...tokenOf(tokens), jwks: tokens.jwks },
  });
  return registryPeer('distribution', registry, tokens.tls.ca, tokens.plain);
}

export async function startZotPeer(tokens: Tokens): Promise<Peer> {
  const zot = await startZot({ tls: tokens.tls, bearer: { ...tokenOf(tokens), key: tokens.keyCertificate } });
  return registryPeer('zot', zot, tokens.tls.ca, tokens.plain);
}

/**
 * nginx ends TLS, two workers on two processors, and keeps connections to the registry, which checks the tokens. It
 * caches nothing: what it had cached it would hand to anybody, since nobody would look at the token.
 */
export async function startNginx(tokens: Tokens): Promise<Peer> {
  const registry = await startDockerRegistry({ ...LIKE_DEBIAN, token: tokenOf(tokens), relativeUrls: true });
  const folder = mkdtempSync(join(tmpdir(), 'dockgate-nginx-'));
  const port = await freePort();
  writeFileSync(join(folder, 'tls.crt'), tokens.tls.certificate);
  writeFileSync(join(folder, 'tls.key'), tokens.tls.key, { mode: 0o600 });
  for (const name of TEMPORARY) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'nginx.conf'), nginxConfig(folder, port, registry.url));
  const program = ['-c', join(folder, 'nginx.conf'), '-p', folder, '-e', join(folder, 'error.log')];
  const child = spawn('nginx', [...program, '-g', 'daemon off;'], { stdio: 'ignore' });
  process.once('exit', () => child.kill());
  const ended = once(child, 'exit');
  await until(() => listens(port), `nginx listens on port ${port}`);
  const nginx: DockerRegistry = {
    url: `https://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
      await registry.stop();
    },
  };
  const peer = registryPeer('nginx', nginx, tokens.tls.ca, tokens.forDockerRegistry);
  return { ...peer, pids: () => [...peer.pids(), registry.pid] };
}

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

function nginxConfig(folder: string, port: number, registry: string): string {
  return `
worker_processes 2;
pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  ${TEMPORARY.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  sendfile on;
  keepalive_requests 1000000;
  upstream registry { server ${new URL(registry).host}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port} ssl backlog=4096;
    ssl_certificate ${folder}/tls.crt;
    ssl_certificate_key ${folder}/tls.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    client_max_body_size 0;
    location / {
      proxy_pass http://registry;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto https;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }
  }
}
`;
}

function tokenOf({ realm, service, issuer, keyCertificate }: Tokens) {
  return { realm, service, issuer, certificates: keyCertificate };
}

function registryPeer(id: PeerId, registry: DockerRegistry, ca: string, token: Peer['token']): Peer {
  return {
    ...{ id, name: PEERS[id], origin: registry.url, ca, token },
    pids: () => familyOf(registry.pid),
    stop: registry.stop,
  };
}
