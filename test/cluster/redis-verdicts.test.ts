import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  createManualClock,
  DAY_MS,
  type ManualClock,
  MINUTE_MS,
  silentLogger,
  systemRandom,
} from '../../src/base/index.ts';
import { type OpenRedis, openRedis, type RedisTarget } from '../../src/cluster/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import { type Facts, judge, type Verdict } from '../../src/policy/index.ts';
import { digestOf, effectiveOf, factsOf, findingOf, IMAGE, NOW_MS, policyOf } from '../policy/fixtures.ts';
import { type RedisServer, reserveRedisServer } from './redis-server.ts';
import { until } from './until.ts';

const KEY = randomBytes(32);
const HASH = 'policy-hash';
const EFFECTIVE = effectiveOf([policyOf({ vulnerabilities: { block: 'high', fixableOnly: false } })]);
const GOOD = factsOf();
const BAD = factsOf({ findings: [findingOf()] });

function verdictOf(facts: Facts, digest: Digest = IMAGE): Verdict {
  return judge(facts, digest, EFFECTIVE, NOW_MS);
}

describe('verdicts in Redis', function () {
  this.slow(1000);
  let server: RedisServer;
  const opened: OpenRedis[] = [];

  beforeEach(async () => {
    server = await reserveRedisServer();
  });
  afterEach(async () => {
    for (const one of opened.splice(0)) one.close();
    await server.remove();
  });

  async function open(
    clock: ManualClock = createManualClock(NOW_MS),
    target: Partial<RedisTarget> = {},
    hmacKey: Uint8Array = KEY,
  ): Promise<{ redis: OpenRedis; clock: ManualClock; learn(facts: Facts): Promise<Verdict> }> {
    const redis = openRedis(
      { url: server.url, commandMsMax: 5000, ...target },
      { hmacKey, clock, random: systemRandom, logger: silentLogger },
    );
    opened.push(redis);
    return {
      redis,
      clock,
      /** What verdicts/ does on a miss. */
      async learn(facts) {
        const known = await redis.verdicts.find(IMAGE, HASH);
        if (known) return known;
        const verdict = verdictOf(facts);
        await redis.verdicts.keep(IMAGE, HASH, verdict);
        return verdict;
      },
    };
  }

  async function openReady(...args: Parameters<typeof open>): ReturnType<typeof open> {
    const one = await open(...args);
    await until(() => one.redis.isAvailable());
    return one;
  }

  describe('are', () => {
    beforeEach(() => server.start());

    it('found by another process', async () => {
      const first = await openReady();
      const verdict = await first.learn(GOOD);
      assert.deepEqual(await first.redis.verdicts.find(IMAGE, HASH), verdict);
      const other = await openReady();
      assert.deepEqual(await other.redis.verdicts.find(IMAGE, HASH), verdict);
    });

    it('not found under another policy or for another digest', async () => {
      const { redis, learn } = await openReady();
      await learn(GOOD);
      assert.equal(await redis.verdicts.find(IMAGE, 'other'), undefined);
      assert.equal(await redis.verdicts.find(digestOf('other'), HASH), undefined);
    });

    it('gone after a drop, for every process, V-22', async () => {
      const first = await openReady();
      const other = await openReady();
      await first.learn(GOOD);
      assert.ok(await other.redis.verdicts.find(IMAGE, HASH));
      await first.redis.verdicts.drop(IMAGE);
      for (const { redis } of [first, other]) assert.equal(await redis.verdicts.find(IMAGE, HASH), undefined);
      first.clock.advance(1);
      await first.learn(BAD);
      assert.equal((await other.redis.verdicts.find(IMAGE, HASH))?.outcome, 'block');
    });

    it('not put back by a process that read the facts before they changed', async () => {
      const slow = await openReady();
      const other = await openReady();
      const third = await openReady();
      assert.equal(await slow.redis.verdicts.find(IMAGE, HASH), undefined);
      await other.redis.verdicts.drop(IMAGE);
      await slow.redis.verdicts.keep(IMAGE, HASH, verdictOf(GOOD));
      assert.equal(await third.redis.verdicts.find(IMAGE, HASH), undefined);
      await third.redis.verdicts.keep(IMAGE, HASH, verdictOf(BAD));
      await slow.redis.verdicts.keep(IMAGE, HASH, verdictOf(GOOD));
      assert.equal((await third.redis.verdicts.find(IMAGE, HASH))?.outcome, 'block');
    });

    it('not kept by who never asked for them', async () => {
      const { redis } = await openReady();
      await redis.verdicts.keep(IMAGE, HASH, verdictOf(GOOD));
      assert.equal(await server.admin().dbsize(), 0);
    });

    it('not believed once this process may have missed a change', async () => {
      const { redis, clock, learn } = await openReady();
      await learn(GOOD);
      redis.verdicts.distrust();
      assert.equal(await redis.verdicts.find(IMAGE, HASH), undefined);
      clock.advance(1);
      await learn(GOOD);
      assert.ok(await redis.verdicts.find(IMAGE, HASH));
    });

    it('not found from the instant on at which time alone changes them', async () => {
      const { redis, clock } = await openReady();
      await redis.verdicts.find(IMAGE, HASH);
      await redis.verdicts.keep(IMAGE, HASH, { ...verdictOf(GOOD), validUntilMs: NOW_MS + 1000 });
      clock.advance(999);
      assert.ok(await redis.verdicts.find(IMAGE, HASH));
      clock.advance(1);
      assert.equal(await redis.verdicts.find(IMAGE, HASH), undefined);
      const [key] = (await server.admin().keys('v1:*')).filter((name) => name.endsWith(HASH));
      const lifetimeMs = await server.admin().pttl(key ?? '');
      assert.ok(lifetimeMs <= 1000, `${lifetimeMs} ms`);
    });

    it('never older than ten minutes, F-07', async () => {
      const { redis, clock, learn } = await openReady();
      await learn(GOOD);
      clock.advance(10 * MINUTE_MS - 1);
      assert.ok(await redis.verdicts.find(IMAGE, HASH));
      clock.advance(1);
      assert.equal(await redis.verdicts.find(IMAGE, HASH), undefined);
    });

    it('not believed from a clock that is far ahead', async () => {
      const ahead = await openReady(createManualClock(NOW_MS + MINUTE_MS));
      await ahead.learn(GOOD);
      assert.equal(await (await openReady()).redis.verdicts.find(IMAGE, HASH), undefined);
    });

    it('judged again rather than kept when they are very large', async () => {
      const { redis } = await openReady();
      const findings = Array.from({ length: 5000 }, (_, index) => findingOf({ id: `CVE-2026-${index}` }));
      await redis.verdicts.find(IMAGE, HASH);
      await redis.verdicts.keep(IMAGE, HASH, verdictOf(factsOf({ findings })));
      assert.equal(await redis.verdicts.find(IMAGE, HASH), undefined);
    });
  });

  describe('that somebody else wrote are misses:', () => {
    let key: string;
    let value: string;
    let reader: OpenRedis;
    beforeEach(async () => {
      await server.start();
      const { learn, redis } = await openReady();
      await learn(BAD);
      reader = redis;
      key = (await server.admin().keys('v1:*')).find((name) => name.endsWith(HASH)) ?? '';
      value = (await server.admin().get(key)) ?? '';
      assert.ok(value.includes('"outcome":"block"'));
    });

    for (const [title, tamper] of [
      ['another outcome', (text: string) => text.replace('"outcome":"block"', '"outcome":"allow"')],
      ['a longer validity', (text: string) => text.replace(/"validUntilMs":\d+/, '"validUntilMs":9e15')],
      ['without a seal', (text: string) => text.slice(43)],
      ['one character less', (text: string) => text.slice(0, -1)],
      ['nothing', () => ''],
      ['noise', () => '\0\xff{}'],
      ['a megabyte', () => 'x'.repeat(1024 * 1024)],
    ] as const) {
      it(title, async () => {
        await server.admin().set(key, tamper(value));
        assert.equal(await reader.verdicts.find(IMAGE, HASH), undefined);
      });
    }

    it('one of another kind', async () => {
      await server.admin().del(key);
      await server.admin().lpush(key, 'x');
      assert.equal(await reader.verdicts.find(IMAGE, HASH), undefined);
      assert.equal(reader.isAvailable(), true);
    });

    it("another digest's or another policy's, moved here", async () => {
      const other = digestOf('other');
      const admin = server.admin();
      const generation = (await admin.get(`v1:{${IMAGE}}:generation`)) ?? '';
      await admin.set(`v1:{${other}}:generation`, generation);
      await admin.set(`v1:{${other}}:${HASH}`, value);
      await admin.set(`v1:{${IMAGE}}:other`, value);
      assert.equal(await reader.verdicts.find(other, HASH), undefined);
      assert.equal(await reader.verdicts.find(IMAGE, 'other'), undefined);
    });

    it('one of another key', async () => {
      const stranger = await openReady(createManualClock(NOW_MS), {}, randomBytes(32));
      assert.equal(await stranger.redis.verdicts.find(IMAGE, HASH), undefined);
    });

    it('yesterday’s, put back from a backup, F-07', async () => {
      const generation = (await server.admin().get(`v1:{${IMAGE}}:generation`)) ?? '';
      const later = await openReady(createManualClock(NOW_MS + DAY_MS));
      await server.admin().set(key, value);
      await server.admin().set(`v1:{${IMAGE}}:generation`, generation);
      assert.equal(await later.redis.verdicts.find(IMAGE, HASH), undefined);
    });

    it('one from before a change that this process heard of, put back with its generation', async () => {
      const admin = server.admin();
      const generation = (await admin.get(`v1:{${IMAGE}}:generation`)) ?? '';
      await reader.verdicts.drop(IMAGE);
      await admin.set(`v1:{${IMAGE}}:generation`, generation);
      assert.equal(await reader.verdicts.find(IMAGE, HASH), undefined);
    });
  });

  describe('when Redis', () => {
    /** The budget of 40 ms for each question, with room for a slow machine. */
    async function quickMiss({ redis }: { redis: OpenRedis }): Promise<void> {
      const startedMs = performance.now();
      assert.equal(await redis.verdicts.find(IMAGE, HASH), undefined);
      await redis.verdicts.keep(IMAGE, HASH, verdictOf(GOOD));
      await redis.verdicts.drop(IMAGE);
      const tookMs = performance.now() - startedMs;
      assert.ok(tookMs < 3000, `${tookMs} ms`);
    }

    it('is not there at the start: misses, and used when it comes, F-09', async () => {
      const one = await open();
      await quickMiss(one);
      await server.start();
      await until(() => one.redis.isAvailable());
      one.clock.advance(1);
      await one.learn(GOOD);
      assert.ok(await one.redis.verdicts.find(IMAGE, HASH));
    });

    it('is killed: misses at once, and used again when it is back, F-01', async () => {
      await server.start();
      const one = await openReady();
      await one.learn(GOOD);
      await server.kill();
      await quickMiss(one);
      await until(() => !one.redis.isAvailable());
      await quickMiss(one);
      await server.start();
      await until(() => one.redis.isAvailable());
      one.clock.advance(1);
      await one.learn(BAD);
      assert.equal((await one.redis.verdicts.find(IMAGE, HASH))?.outcome, 'block');
    });

    it('hangs: one short wait, then none, and used again when it goes on, F-02, F-03', async () => {
      await server.start();
      const one = await openReady(createManualClock(NOW_MS), { commandMsMax: 40 });
      server.signal('SIGSTOP');
      await quickMiss(one);
      const startedMs = performance.now();
      for (let count = 0; count < 100; count++) await one.redis.verdicts.find(digestOf(`${count}`), HASH);
      assert.ok(performance.now() - startedMs < 2000, 'no wait while it rests');
      one.clock.advance(1000);
      await quickMiss(one);
      server.signal('SIGCONT');
      await until(async () => {
        one.clock.advance(1000);
        await one.learn(BAD);
        return (await one.redis.verdicts.find(IMAGE, HASH))?.outcome === 'block';
      });
    });

    it('was away during a drop: what it kept from before is not found by anybody', async () => {
      await server.start('--appendonly', 'yes', '--appendfsync', 'always');
      const one = await openReady();
      await one.learn(GOOD);
      await server.kill();
      await one.redis.verdicts.drop(IMAGE);
      await server.start('--appendonly', 'yes');
      assert.ok(await server.admin().exists(`v1:{${IMAGE}}:${HASH}`), 'it kept the entry');
      await until(async () => (await server.admin().exists(`v1:{${IMAGE}}:generation`)) === 0);
      const fresh = await openReady();
      assert.equal(await fresh.redis.verdicts.find(IMAGE, HASH), undefined);
    });

    it('is full: nothing is kept, a drop still works, and it counts as there, F-06', async () => {
      await server.start('--maxmemory-policy', 'noeviction');
      const one = await openReady();
      await one.learn(GOOD);
      await server.admin().config('SET', 'maxmemory', '1');
      const digest = digestOf('new');
      assert.equal(await one.redis.verdicts.find(digest, HASH), undefined);
      await one.redis.verdicts.keep(digest, HASH, verdictOf(GOOD, digest));
      assert.equal(await one.redis.verdicts.find(digest, HASH), undefined);
      assert.ok(await one.redis.verdicts.find(IMAGE, HASH), 'what it has is still read');
      await one.redis.verdicts.drop(IMAGE);
      assert.equal(await server.admin().exists(`v1:{${IMAGE}}:generation`), 0);
      assert.equal(one.redis.isAvailable(), true);
    });

    it('wants a password: used with it, away without', async () => {
      await server.start();
      await server.admin().config('SET', 'requirepass', 'secret');
      const known = await openReady(createManualClock(NOW_MS), { password: 'secret' });
      await known.learn(GOOD);
      assert.ok(await known.redis.verdicts.find(IMAGE, HASH));
      const stranger = await open();
      await quickMiss(stranger);
    });

    it('is a replica that takes no writes: read, never relied on, F-05', async () => {
      await server.start();
      const one = await openReady();
      await one.learn(GOOD);
      await server.admin().replicaof('127.0.0.1', 1);
      await quickMiss({
        redis: { ...one.redis, verdicts: { ...one.redis.verdicts, find: async () => undefined } },
      });
      await server.admin().replicaof('NO', 'ONE');
      await until(async () => {
        one.clock.advance(1);
        await one.learn(BAD);
        return (await one.redis.verdicts.find(IMAGE, HASH))?.outcome === 'block';
      });
    });
  });
});
