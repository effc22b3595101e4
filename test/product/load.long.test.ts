import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { setTimeout as passing } from 'node:timers/promises';
import { familyOf, residentBytesOf } from '../../bench/processes.ts';
import { MiB } from '../../src/base/index.ts';
import { type LoggedRecord, waitForLog } from '../support/access-log.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';

const PASSWORD = 'correct-horse-battery-9';
const CLIENTS = 200;
const SECONDS = 30;
const SAMPLE_MS = 500;
/** A heap breathes; what leaks over some ten thousand pulls grows by more. */
const GROWTH_MAX = 1.15;

describe('two hundred clients that pull for half a minute', function () {
  this.timeout(180_000);
  let server: Dockgate;
  let image: BuiltImage;
  let token: string;
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

  before(async () => {
    server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    const layers = [10_000, 100_000, 400_000, 1_500_000].map((size, index) => [
      { path: `file${index}`, data: randomBytes(size) },
    ]);
    image = await buildImage({ config: { user: 'app' }, layers });
    await createPusher(server, `alice:${PASSWORD}`).push('team/app', image, '1');
    token = await server.token(`alice:${PASSWORD}`, 'repository:team/app:pull');
    // Held until its scan has ended.
    assert.equal((await server.request('/v2/team/app/manifests/1', { token })).status, 200);
  });
  after(async () => {
    agent.destroy();
    await server.remove();
  });

  function get(path: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      const options = { host: 'localhost', port: server.port, ca: server.ca, agent, headers };
      const request = httpsRequest({ ...options, path: `/v2/team/app/${path}` }, (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.once('error', reject);
        response.once('end', () => {
          const body = Buffer.concat(pieces);
          if (response.statusCode === 200) resolve(body);
          else reject(new Error(`${path}: ${response.statusCode} ${body}`));
        });
      });
      request.once('error', reject);
      request.end();
    });
  }

  /** One whole pull; says what went wrong. */
  async function pull(): Promise<string | undefined> {
    try {
      if (!(await get('manifests/1')).equals(image.manifest)) return 'another manifest';
      for (const { digest, bytes } of [image.config, ...image.layers]) {
        if (!(await get(`blobs/${digest}`)).equals(bytes)) return `other bytes of ${digest}`;
      }
      return undefined;
    } catch (error) {
      return String(error);
    }
  }

  function openFiles(): number {
    return familyOf(server.pid).reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
  }

  it('all get what was pushed, each is recorded, and the server is as large afterwards as before', async () => {
    const filesBefore = openFiles();
    const endMs = performance.now() + SECONDS * 1000;
    const problems: string[] = [];
    let pullCount = 0;
    const client = async (): Promise<void> => {
      while (performance.now() < endMs) {
        const problem = await pull();
        if (problem !== undefined) problems.push(problem);
        pullCount += 1;
      }
    };
    const samples: number[] = [];
    const sample = async (): Promise<void> => {
      while (performance.now() < endMs) {
        samples.push(residentBytesOf(familyOf(server.pid)));
        await passing(SAMPLE_MS);
      }
    };
    await Promise.all([sample(), ...Array.from({ length: CLIENTS }, client)]);
    assert.deepEqual(problems.slice(0, 5), []);

    const third = Math.floor(samples.length / 3);
    const middle = average(samples.slice(third, 2 * third));
    const last = average(samples.slice(2 * third));
    const printed = samples.map((bytes) => Math.round(bytes / MiB)).join(' ');
    assert.ok(last < middle * GROWTH_MAX, `memory grows, MiB: ${printed}`);

    agent.destroy();
    const requestCount = pullCount * (2 + image.layers.length);
    const decisionsIn = (log: readonly LoggedRecord[]) =>
      log.filter(({ kind, action, repository }) => {
        return kind === 'decision' && action === 'pull' && repository === 'team/app';
      });
    const decisions = decisionsIn(await waitForLog(server, (log) => decisionsIn(log).length > requestCount));
    // One more by the pull before the clients began.
    assert.equal(decisions.length, requestCount + 1);
    assert.ok(decisions.every(({ outcome, status }) => outcome === 'allowed' && status === 200));
    assert.ok(openFiles() <= filesBefore + 10, `${openFiles()} open files, ${filesBefore} before`);
    console.log(
      `        ${pullCount} pulls, ${Math.round(middle / MiB)} MiB, then ${Math.round(last / MiB)} MiB`,
    );
  });
});

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
