import assert from 'node:assert/strict';
import { setTimeout as passing } from 'node:timers/promises';
import { type RedisServer, reserveRedisServer } from '../cluster/redis-server.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';
const LOOPS = 3;
/** Redis is asked for 40 ms at most, then left alone for a second; far above, for a machine that is busy. */
const PULL_MS_MAX = 30_000;

interface Pulls {
  readonly count: () => number;
  /** Ends the loops. @returns answers that were not as they must be, and the longest time of one in milliseconds. */
  stop(): Promise<{ readonly wrong: readonly string[]; readonly slowestMs: number }>;
}

describe('verdicts shared through a real Redis', function () {
  this.timeout(120_000);
  let redis: RedisServer;
  let server: Dockgate;
  let good: BuiltImage;
  let bad: BuiltImage;
  let policyCount = 0;

  before(async () => {
    redis = await reserveRedisServer();
    // Nobody listens there yet.
    server = await startDockgate({ config: `redis:\n  url: ${redis.url}\n` });
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    good = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'app', data: 'good' }]] });
    bad = await buildImage({ config: { user: 'app' }, layers: [[PLANTED_AWS_FILE]] });
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    await pusher.push('team/good', good, '1');
    await pusher.push('team/bad', bad, '1');
  });
  after(async () => {
    await server.remove();
    await redis.remove();
  });

  async function statusOf(path: string): Promise<number> {
    return (await server.request(`/v2/${path}`, { basic: `alice:${PASSWORD}` })).status;
  }

  /** A policy nobody has seen yet: no process remembers a verdict by it, so all of them ask Redis. */
  async function changePolicy(ageMax?: string): Promise<void> {
    policyCount += 1;
    const answer = await server.request('/api/v1/policies', {
      method: 'PUT',
      basic: `admin:${server.adminPassword}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        policies: [
          {
            ...{ name: 'default', match: ['**'], mode: 'enforce', hold: '20s' },
            rules: {
              scanned: { by: ['inspector'], within: '30d' },
              age: { max: ageMax ?? `${10_000 + policyCount}h` },
              secrets: 'block',
            },
          },
        ],
      }),
    });
    assert.equal(answer.status, 200, answer.text);
  }

  /** Pulls both images by tag, digest and blob, again and again. */
  function pullAll(): Pulls {
    const paths = ({ digest, layers }: BuiltImage) => [
      'manifests/1',
      `manifests/${digest}`,
      ...layers.map((layer) => `blobs/${layer.digest}`),
    ];
    const asked = [
      ...paths(good).map((path) => [`team/good/${path}`, 200] as const),
      ...paths(bad).map((path) => [`team/bad/${path}`, 403] as const),
    ];
    const wrong: string[] = [];
    let slowestMs = 0;
    let count = 0;
    let isOver = false;
    async function loop(): Promise<void> {
      while (!isOver) {
        for (const [path, expected] of asked) {
          const startedAtMs = performance.now();
          const status = await statusOf(path).catch(String);
          slowestMs = Math.max(slowestMs, performance.now() - startedAtMs);
          if (status !== expected) wrong.push(`${path}: ${status} instead of ${expected}`);
          count += 1;
        }
      }
    }
    const loops = Array.from({ length: LOOPS }, loop);
    return {
      count: () => count,
      async stop() {
        isOver = true;
        await Promise.all(loops);
        return { wrong, slowestMs };
      },
    };
  }

  /** Lets the loops go round under policies that change, so that verdicts are looked for in Redis all the time. */
  async function goOn(pulls: Pulls, pullCount: number): Promise<void> {
    const endAt = pulls.count() + pullCount;
    await until(async () => {
      await changePolicy();
      await passing(50);
      return pulls.count() >= endAt;
    }, `${pullCount} more pulls`);
  }

  async function verdictKeys(): Promise<readonly string[]> {
    const keys = await redis.admin().keys('v1:*');
    return keys.filter((key) => !key.endsWith(':generation'));
  }

  async function expectUsed(): Promise<void> {
    await until(async () => {
      await changePolicy();
      assert.equal(await statusOf('team/good/manifests/1'), 200);
      assert.equal(await statusOf('team/bad/manifests/1'), 403);
      const keys = await verdictKeys();
      return [good, bad].every(({ digest }) => keys.some((key) => key.startsWith(`v1:{${digest}}:`)));
    }, 'entries of both images in Redis');
  }

  async function expectAllAsItMustBe(pulls: Pulls): Promise<void> {
    const { wrong, slowestMs } = await pulls.stop();
    assert.deepEqual(wrong, []);
    assert.ok(slowestMs < PULL_MS_MAX, `a pull took ${Math.round(slowestMs)} ms`);
  }

  it('F-09: a server whose Redis is down from the start starts, serves and refuses', async () => {
    assert.equal(await statusOf('team/good/manifests/1'), 200);
    assert.equal(await statusOf('team/bad/manifests/1'), 403);
  });

  it('uses Redis as soon as it is there: allowed and blocked verdicts lie in it, sealed', async () => {
    await redis.start();
    await expectUsed();
    const [key = ''] = await verdictKeys();
    assert.match(String(await redis.admin().get(key)), /\S/);
    assert.ok((await redis.admin().pttl(key)) > 0, 'an entry without an end');
  });

  it('F-01: no pull fails and no blocked image gets through while Redis is killed; back, it is used again', async () => {
    const pulls = pullAll();
    try {
      await goOn(pulls, 100);
      await redis.kill();
      await goOn(pulls, 500);
      await redis.start();
      await goOn(pulls, 100);
    } finally {
      await expectAllAsItMustBe(pulls);
    }
    await expectUsed();
  });

  it('F-02: no pull fails or waits long, and no blocked image gets through, while Redis hangs; then it is used again', async () => {
    const pulls = pullAll();
    try {
      await goOn(pulls, 100);
      redis.signal('SIGSTOP');
      await goOn(pulls, 500);
    } finally {
      redis.signal('SIGCONT');
      await expectAllAsItMustBe(pulls);
    }
    await redis.admin().flushall();
    await expectUsed();
  });

  it('F-01: a policy that changes while Redis is away counts at once, and still does when Redis is back', async () => {
    await expectUsed();
    redis.signal('SIGSTOP');
    try {
      // The image is a day old.
      await changePolicy('1h');
      assert.equal(await statusOf('team/good/manifests/1'), 403);
    } finally {
      redis.signal('SIGCONT');
    }
    for (let time = 0; time < 6; time += 1) assert.equal(await statusOf('team/good/manifests/1'), 403);
    await changePolicy();
    assert.equal(await statusOf('team/good/manifests/1'), 200);
  });

  it('F-09: starts again with Redis down, and with Redis hanging', async () => {
    for (const away of [() => redis.kill(), async () => redis.signal('SIGSTOP')]) {
      await server.stop();
      await away();
      server = await startDockgate({
        ...{ directory: server.directory, port: server.port },
        config: `redis:\n  url: ${redis.url}\n`,
      });
      assert.equal(await statusOf('team/good/manifests/1'), 200);
      assert.equal(await statusOf('team/bad/manifests/1'), 403);
      redis.signal('SIGCONT');
      await redis.kill();
      await redis.start();
      await expectUsed();
    }
  });
});
