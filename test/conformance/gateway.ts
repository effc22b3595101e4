import type { DockerRegistry } from '../support/docker-registry.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import type { Registry } from './suite.ts';

const PASSWORD = 'correct-horse-battery-9';

/** The layers of the suite are no archives, so no scanner can read them: here policy only warns. */
const WARNS = `policies:
  - name: default
    match: ["conformance/**"]
    mode: warn
    hold: 20s
    rules:
      scanned: { by: [inspector], within: 7d }
`;

/** A gateway whose account may do everything that the suite does. */
export async function startForSuite(upstream?: DockerRegistry): Promise<Dockgate> {
  const behind = upstream ? `upstreams:\n  - url: ${upstream.url}\n` : '';
  const server = await startDockgate({ config: `${WARNS}${behind}` });
  await server.addUser('conformance', PASSWORD, ['maintainer', 'conformance/**']);
  return server;
}

export function asRegistry(server: Dockgate): Registry {
  const account = { username: 'conformance', password: PASSWORD };
  return { host: server.host, caPath: server.caPath, account };
}
