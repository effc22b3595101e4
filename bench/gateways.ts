import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startDockerRegistry } from '../test/support/docker-registry.ts';
import { type Dockgate, startDockgate } from '../test/support/dockgate.ts';
import { type GatewayPeer, PEERS, type PeerId } from './peer.ts';
import { familyOf } from './processes.ts';
import { UNLIMITED } from './unlimited.ts';

export const ACCOUNT = { name: 'bench', password: 'correct-horse-battery-9' };
const BASIC = `${ACCOUNT.name}:${ACCOUNT.password}`;

export interface GatewayOptions {
  readonly config?: string;
  readonly isEmbedded?: boolean;
  /** In front of this registry, which somebody else ends, in place of one of its own. */
  readonly upstream?: string;
  /** An earlier server's folder. */
  readonly directory?: string;
}

/** The gateway, in front of a registry of its own unless it is to embed one. */
export async function startGateway(id: PeerId, options: GatewayOptions): Promise<GatewayPeer> {
  const own =
    options.isEmbedded || options.upstream ? undefined : await startDockerRegistry({ remembersBlobs: true });
  const url = options.upstream ?? own?.url;
  try {
    const upstream = url === undefined ? '' : `upstreams:\n  - prefix: ""\n    url: ${url}\n`;
    const { directory } = options;
    const server = await startDockgate({
      config: (options.config ?? '') + upstream + UNLIMITED,
      ...(directory === undefined ? {} : { directory }),
    });
    const endWithUs = () => process.kill(server.pid);
    process.once('exit', endWithUs);
    if (directory === undefined) await server.addUser(ACCOUNT.name, ACCOUNT.password, ['developer', '**']);
    return gatewayPeer(id, { ...server, stop: () => stopOnce(server, endWithUs) }, own, url);
  } catch (error) {
    await own?.stop();
    throw error;
  }
}

async function stopOnce(server: Dockgate, endWithUs: () => void): Promise<void> {
  await server.stop();
  process.removeListener('exit', endWithUs);
}

function gatewayPeer(
  id: PeerId,
  server: Dockgate,
  own: { readonly pid: number; stop(): Promise<void> } | undefined,
  url: string | undefined,
): GatewayPeer {
  return {
    ...{ id, name: PEERS[id], server, origin: server.url, ca: server.ca },
    ...(url === undefined ? {} : { upstream: { url } }),
    pids: () => [...familyOf(server.pid), ...(own ? [own.pid] : [])],
    token: (repository) =>
      server.token(
        BASIC,
        repository === undefined ? 'registry:catalog:*' : `repository:${repository}:pull,push`,
      ),
    workers: () => server.workers(),
    chill(digests) {
      for (const digest of digests) {
        const [algorithm = '', hex = ''] = digest.split(':');
        rmSync(join(server.data, 'content', algorithm, hex.slice(0, 2), hex));
      }
    },
    async stop() {
      await server.stop();
      rmSync(server.directory, { recursive: true, force: true });
      await own?.stop();
    },
  };
}
