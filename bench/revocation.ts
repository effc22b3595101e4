import { Agent, request as httpsRequest } from 'node:https';
import { startDockgate } from '../test/support/dockgate.ts';
import { buildImage } from '../test/support/image.ts';
import { createPusher } from '../test/support/pusher.ts';
import { until } from '../test/support/until.ts';

interface RevocationOptions {
  readonly rounds: number;
  readonly workers: number;
  /** Base URL of who is asked whether the right is gone; the same server unless told. */
  readonly elsewhere?: string;
  /** Certificate (PEM) that is trusted there. */
  readonly ca?: string;
}

const PASSWORD = 'correct-horse-battery-9';
/** Kept connections; the server deals them out to its workers in turns. */
const CONNECTIONS = 8;
/** No policy has a say here: only the right counts. */
const PATH = '/v2/team/app/tags/list';
const GRANT = { role: 'reader', on: 'team/**', subject: { kind: 'user', name: 'bob' } };

/**
 * Takes a grant away and gives it back, on a real server.
 *
 * @returns of each round, milliseconds from the admin's 200 to the moment when every connection has been refused.
 */
export async function measureRevocation(options: RevocationOptions): Promise<readonly number[]> {
  const server = await startDockgate({ workers: options.workers });
  const agents = Array.from({ length: CONNECTIONS }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  try {
    await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
    await server.addUser('bob', PASSWORD, ['reader', 'team/**']);
    const image = await buildImage({ config: { user: 'app' } });
    await createPusher(server, `alice:${PASSWORD}`).push('team/app', image, '1');
    const target = new URL(PATH, options.elsewhere ?? server.url);
    const ca = options.ca ?? server.ca;
    // A token, since a password would be hashed anew after each change.
    let token = '';
    const ask = (agent: Agent) => statusOf(target, { agent, ca, token });
    const change = async (path: string) => {
      const answer = await server.request(`/api/v1${path}`, {
        method: 'POST',
        basic: `admin:${server.adminPassword}`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(GRANT),
      });
      if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    };
    const times: number[] = [];
    for (let round = 0; round < options.rounds; round += 1) {
      token = await server.token(`bob:${PASSWORD}`, 'repository:team/app:pull');
      await until(
        async () => (await Promise.all(agents.map(ask))).every((status) => status === 200),
        'the right is there',
      );
      await change('/grants/remove');
      const startedMs = performance.now();
      await Promise.all(
        agents.map(async (agent) => {
          while ((await ask(agent)) !== 403);
        }),
      );
      times.push(performance.now() - startedMs);
      await change('/grants');
    }
    return times;
  } finally {
    for (const agent of agents) agent.destroy();
    await server.remove();
  }
}

function statusOf(
  url: URL,
  { agent, ca, token }: { readonly agent: Agent; readonly ca: string; readonly token: string },
): Promise<number> {
  return new Promise((resolve, reject) => {
    httpsRequest(url, { agent, ca, headers: { authorization: `Bearer ${token}` } }, (response) => {
      response
        .resume()
        .once('end', () => resolve(response.statusCode ?? 0))
        .once('error', reject);
    })
      .once('error', reject)
      .end();
  });
}
