import type { DockerRegistry } from '../support/docker-registry.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import type { Registry } from './suite.ts';

const PASSWORD = 'correct-horse-battery-9';

/** The suite reads each blob back before a manifest names it, when nothing can judge it: here policy only warns. */
const WARNS = `policies:
  - name: default
    match: ["conformance/**"]
    mode: warn
    hold: 20s
    rules:
      scanned: { by: [inspector], within: 7d }
`;

/**
 * A gateway whose account may do everything that the suite does.
 *
 * @param policy `shipped`: the policies of a fresh installation, which enforce.
 */
export async function startForSuite(
  upstream?: DockerRegistry,
  policy: 'warn' | 'shipped' = 'warn',
): Promise<Dockgate> {
  const behind = upstream ? `upstreams:\n  - url: ${upstream.url}\n` : '';
  const server = await startDockgate({ config: `${policy === 'warn' ? WARNS : ''}${behind}` || '{}\n' });
  await server.addUser('conformance', PASSWORD, ['maintainer', 'conformance/**']);
  return server;
}

export function asRegistry(server: Dockgate): Registry {
  const account = { username: 'conformance', password: PASSWORD };
  return { host: server.host, caPath: server.caPath, account };
}
