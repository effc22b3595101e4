import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { Agent, request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { setTimeout as passing } from 'node:timers/promises';
import { promisify } from 'node:util';
import { seeded } from '../audit/power.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';

const PASSWORD = 'correct-horse-battery-9';
const KILLS = 200;
/** After so many kills of one process all of them are killed and the server is started again. */
const RESTART_EVERY = 20;
const CLIENTS = 12;

/** Clients that ask again and again, and remember the id of every answer they got. */
function startClients(server: Dockgate, token: string, answered: Set<string>): { stop(): Promise<void> } {
  let isStopped = false;
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS, ca: server.ca });
  const paths = ['/v2/team/app/manifests/1', '/v2/team/app/tags/list', '/v2/team/hidden/manifests/1'];
  const ask = (path: string): Promise<void> =>
    new Promise((resolve) => {
      const headers = { authorization: `Bearer ${token}` };
      const request = httpsRequest(
        { host: 'localhost', port: server.port, path, agent, headers },
        (response) => {
          // The head of an answer is an answer, whatever becomes of its body.
          answered.add(String(response.headers['x-request-id']));
          response
            .resume()
            .once('close', resolve)
            .once('error', () => resolve());
        },
      );
      request.once('error', () => passing(20).then(resolve)).end();
    });
  const loops = Array.from({ length: CLIENTS }, async (_, at) => {
    for (let round = at; !isStopped; round += 1) await ask(paths[round % paths.length] ?? '');
  });
  return {
    async stop() {
      isStopped = true;
      await Promise.all(loops);
      agent.destroy();
    },
  };
}

async function childrenOf(server: Dockgate): Promise<readonly number[]> {
  // pgrep fails where it finds none: all of them wait to be started again.
  const { stdout } = await promisify(execFile)('pgrep', ['-P', String(server.pid)]).catch(() => ({
    stdout: '',
  }));
  return stdout.split('\n').filter(Boolean).map(Number);
}

describe('every answer that a client got', function () {
  this.timeout(3_600_000);

  it(`has its record after ${KILLS} kills of workers, the housekeeping process and the whole server under load`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    console.log(`      seed ${seed}`);
    const random = seeded(seed);
    let server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['developer', 'team/app']);
    const image = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'a', data: 'b' }]] });
    await createPusher(server, `alice:${PASSWORD}`).push('team/app', image, '1');
    const answered = new Set<string>();
    for (let killed = 0; killed < KILLS; ) {
      const token = await server.token(`alice:${PASSWORD}`, 'repository:team/app:pull');
      const clients = startClients(server, token, answered);
      for (let round = 1; round < RESTART_EVERY; round += 1, killed += 1) {
        await passing(100 + random() * 900);
        const children = await childrenOf(server);
        const victim = children[Math.floor(random() * children.length)];
        // It may have gone in this moment: then the next round kills another.
        if (victim !== undefined) kill(victim);
      }
      await passing(random() * 500);
      await server.killAll();
      killed += 1;
      await clients.stop();
      server = await startDockgate({ directory: server.directory, port: server.port });
    }
    await server.stop();
    assert.match(await server.run(['audit', 'verify']), /the log is whole/);
    const exported = await server.run(['audit', 'export', '--log', join(server.data, 'audit')]);
    const recorded = new Set([...exported.matchAll(/"requestId":"([^"]+)"/g)].map(([, id]) => id));
    const missing = [...answered].filter((id) => !recorded.has(id));
    console.log(`      ${answered.size} answers`);
    assert.deepEqual(missing.slice(0, 5), [], `${missing.length} answers of ${answered.size} have no record`);
    assert.ok(answered.size > 10 * KILLS);
    await server.remove();
  });
});

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
