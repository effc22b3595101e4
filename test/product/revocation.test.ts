import assert from 'node:assert/strict';
import { Agent, request as httpsRequest } from 'node:https';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';
const WORKERS = 3;
/** Kept connections; they are dealt out to the workers in turns. */
const CONNECTIONS = 12;
const ROUNDS = 8;

interface Asked {
  readonly startedAtMs: number;
  readonly status: number;
}

type Change = readonly [method: string, path: string, body?: unknown];

/** A right that is taken away and given back. */
interface Way {
  readonly name: string;
  readonly take: Change;
  readonly give: Change;
  /** Status that a pull gets while the right is away. */
  readonly refused: number;
}

const user = { kind: 'user', name: 'bob' };
const grant = (role: string, subject: unknown) => ({ role, on: 'team/**', subject });
const denied = { ...grant('developer', user), effect: 'deny' };
const policyOf = (ageMax: string) => ({
  policies: [
    {
      ...{ name: 'default', match: ['**'], mode: 'enforce', hold: '20s' },
      rules: { scanned: { by: ['inspector'], within: '30d' }, age: { max: ageMax } },
    },
  ],
});

const WAYS: readonly Way[] = [
  {
    name: 'a grant that is removed',
    take: ['POST', '/grants/remove', grant('reader', user)],
    give: ['POST', '/grants', grant('reader', user)],
    refused: 403,
  },
  {
    name: 'a grant that denies',
    take: ['POST', '/grants', denied],
    give: ['POST', '/grants/remove', grant('developer', user)],
    refused: 403,
  },
  {
    name: 'a user who is shut out',
    take: ['POST', '/users/bob/disable'],
    give: ['POST', '/users/bob/enable'],
    refused: 401,
  },
  {
    name: 'a policy that blocks the image',
    take: ['PUT', '/policies', policyOf('1h')],
    give: ['PUT', '/policies', policyOf('3000d')],
    refused: 403,
  },
];

describe('a right that is taken away under load', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let token: string;
  const agents = Array.from({ length: CONNECTIONS }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const asked: Asked[][] = agents.map(() => []);
  let isOver = false;
  let loops: readonly Promise<void>[] = [];

  before(async () => {
    server = await startDockgate({ workers: WORKERS });
    await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
    await server.addUser('bob', PASSWORD, ['reader', 'team/**']);
    const image = await buildImage({ config: { user: 'app' } });
    await createPusher(server, `alice:${PASSWORD}`).push('team/app', image, '1');
    await change(['PUT', '/policies', policyOf('3000d')]);
    await renewToken();
    loops = agents.map((agent, index) => pullAgain(agent, asked[index] ?? []));
  });
  after(async () => {
    isOver = true;
    await Promise.all(loops);
    for (const agent of agents) agent.destroy();
    await server.remove();
  });

  async function renewToken(): Promise<void> {
    token = await server.token(`bob:${PASSWORD}`, 'repository:team/app:pull');
  }

  async function change([method, path, body]: Change): Promise<void> {
    const answer = await server.request(`/api/v1${path}`, {
      method,
      basic: `admin:${server.adminPassword}`,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    assert.ok(answer.status < 300, `${path}: ${answer.status} ${answer.text}`);
  }

  function statusOf(agent: Agent): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      const path = '/v2/team/app/manifests/1';
      const to = { host: 'localhost', port: server.port, ca: server.ca, agent, headers, path };
      const request = httpsRequest(to, (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0));
      });
      request.once('error', reject);
      request.end();
    });
  }

  async function pullAgain(agent: Agent, log: Asked[]): Promise<void> {
    while (!isOver) {
      const startedAtMs = performance.now();
      log.push({ startedAtMs, status: await statusOf(agent) });
    }
  }

  /** What each connection was answered to two questions that began after now. */
  async function askedFromNow(): Promise<readonly number[]> {
    const nowMs = performance.now();
    const fromNow = () => asked.map((log) => log.filter(({ startedAtMs }) => startedAtMs >= nowMs));
    await until(() => fromNow().every((log) => log.length >= 2), 'two answers on every connection');
    return [...new Set(fromNow().flatMap((log) => log.map(({ status }) => status)))];
  }

  for (const { name, take, give, refused } of WAYS) {
    it(`${name} counts in every worker before the admin is answered`, async () => {
      let [slowestMs, longestMs] = [0, 0];
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const log of asked) log.splice(0);
        assert.deepEqual(await askedFromNow(), [200]);
        const sentAtMs = performance.now();
        await change(take);
        slowestMs = Math.max(slowestMs, performance.now() - sentAtMs);
        assert.deepEqual(await askedFromNow(), [refused]);
        const allowed = asked.flat().filter(({ status }) => status === 200);
        longestMs = Math.max(longestMs, ...allowed.map(({ startedAtMs }) => startedAtMs - sentAtMs));
        await change(give);
        if (refused === 401) await renewToken();
      }
      const printed = [longestMs, slowestMs].map((ms) => ms.toFixed(0));
      console.log(
        `        last allowed pull began ${printed[0]} ms after the change was sent, answered within ${printed[1]} ms`,
      );
    });
  }
});
