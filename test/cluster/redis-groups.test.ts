import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type Change, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts';
import { openRedis, openRedisChanges, type RedisTarget } from '../../src/cluster/index.ts';
import { connectRedis } from '../../src/cluster/redis-connection.ts';
import { judge } from '../../src/policy/index.ts';
import { digestOf, effectiveOf, factsOf, findingOf, policyOf } from '../policy/fixtures.ts';
import { type RedisGroup, startCluster, startSentinels } from './redis-groups.ts';
import { until } from './until.ts';

const parts = {
  hmacKey: randomBytes(32),
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
};
const EFFECTIVE = effectiveOf([policyOf({ vulnerabilities: { block: 'high', fixableOnly: false } })]);

describe('verdicts and changes in groups of Redis servers', function () {
  this.timeout(180_000);
  this.slow(20_000);
  let closing: AsyncDisposableStack;
  beforeEach(() => {
    closing = new AsyncDisposableStack();
  });
  afterEach(() => closing.disposeAsync());

  /** Two replicas as one test sees them. */
  function openPair(target: RedisTarget) {
    return ['a', 'b'].map(() => {
      const memory = openRedis(target, parts);
      closing.defer(() => memory.close());
      const channel = openRedisChanges(target, parts);
      closing.defer(() => channel.close());
      const heard: Change[] = [];
      channel.changes.onChange((change) => heard.push(change));
      const isWhole = () => channel.changes.lifetimeMsMax() === Number.POSITIVE_INFINITY;
      return { memory, channel, heard, isReady: () => memory.isAvailable() && isWhole(), isWhole };
    });
  }
  type Pair = ReturnType<typeof openPair>;

  /** One learns a verdict, the other finds it: of facts that block and of facts that do not. */
  async function exchange([first, second]: Pair, name: string): Promise<void> {
    assert.ok(first && second);
    for (const [at, facts] of [factsOf(), factsOf({ findings: [findingOf()] })].entries()) {
      const digest = digestOf(`${name}-${at}`);
      const verdict = judge({ ...facts, digest }, digest, EFFECTIVE, systemClock.nowMs());
      // Slow is allowed: what is not answered in time is a miss, and asked again.
      await until(async () => {
        const known = await first.memory.verdicts.find(digest, 'hash');
        if (!known) await first.memory.verdicts.keep(digest, 'hash', verdict);
        return known !== undefined;
      });
      await until(async () => (await second.memory.verdicts.find(digest, 'hash')) !== undefined);
      assert.equal(
        (await second.memory.verdicts.find(digest, 'hash'))?.outcome ?? verdict.outcome,
        verdict.outcome,
      );
      await second.memory.verdicts.drop(digest);
      await until(async () => (await first.memory.verdicts.find(digest, 'hash')) === undefined);
    }
  }
  async function tell([first, second]: Pair, key: string): Promise<void> {
    assert.ok(first && second);
    await until(async () => {
      await first.channel.publish([{ topic: 'access', key }]);
      return second.heard.some((change) => change.key === key);
    });
  }

  it('go on with the new master after the old one died, F-07', async () => {
    const group = await startSentinels();
    closing.defer(() => group.remove());
    const { addresses: sentinels, master } = group;
    const pair = openPair({ sentinels, master, commandMsMax: 2000 });
    await until(() => pair.every((one) => one.isReady()));
    await exchange(pair, 'before');
    await tell(pair, 'before');
    const old = await group.masterPort();
    await group.kill(old);
    await until(() => pair.every((one) => !one.isWhole()));
    // Nobody waits for it meanwhile.
    assert.equal(await pair[0]?.memory.verdicts.find(digestOf('x'), 'hash'), undefined);
    await until(async () => (await group.masterPort()) !== old);
    await until(() => pair.every((one) => one.isReady()));
    await exchange(pair, 'after');
    await tell(pair, 'after');
  });

  it('go on when the client gave up in the middle of a change of masters, F-07', async () => {
    const group = await startSentinels();
    closing.defer(() => group.remove());
    const { addresses: sentinels, master } = group;
    const connection = connectRedis({ sentinels, master, commandMsMax: 2000 }, parts);
    closing.defer(() => connection.close());
    await until(() => connection.isAvailable());
    const ended = new Promise((resolve) => connection.client.once('end', resolve));
    // What the library does to itself where a new master is announced while it asks for one.
    connection.client.disconnect();
    await ended;
    assert.equal(await connection.ask(async () => 'asked'), undefined);
    await until(() => connection.isAvailable());
    assert.equal(await connection.ask((client) => client.ping()), 'PONG');
    connection.close();
    await until(() => connection.client.status === 'end');
  });

  describe('in a cluster', () => {
    let group: RedisGroup;
    beforeEach(async () => {
      group = await startCluster();
      closing.defer(() => group.remove());
    });

    it('lie on all of its nodes, and messages pass between any two', async () => {
      const pair = openPair({ cluster: group.addresses, commandMsMax: 2000 });
      await until(() => pair.every((one) => one.isReady()));
      for (let at = 0; at < 12; at++) await exchange(pair, `image-${at}`);
      await tell(pair, 'x');
      const sizes = await Promise.all(group.addresses.map(({ port }) => group.admin(port).dbsize()));
      assert.ok(
        sizes.every((size) => size > 0),
        String(sizes),
      );
    });

    it('are slower without one of its nodes, never in the way, F-01', async () => {
      const pair = openPair({ cluster: group.addresses, commandMsMax: 2000 });
      await until(() => pair.every((one) => one.isReady()));
      await group.kill(group.addresses[2]?.port ?? 0);
      for (let at = 0; at < 12; at++) {
        const verdict = await pair[0]?.memory.verdicts.find(digestOf(`gone-${at}`), 'hash');
        assert.equal(verdict, undefined);
      }
      // What hashes to the two that are left is found again.
      let foundCount = 0;
      await until(async () => {
        for (let at = 0; at < 12 && foundCount === 0; at++) {
          const digest = digestOf(`left-${at}`);
          const verdict = judge(factsOf({ digest }), digest, EFFECTIVE, systemClock.nowMs());
          await pair[0]?.memory.verdicts.find(digest, 'hash');
          await pair[0]?.memory.verdicts.keep(digest, 'hash', verdict);
          if ((await pair[1]?.memory.verdicts.find(digest, 'hash')) !== undefined) foundCount++;
        }
        return foundCount > 0;
      });
      await until(() => pair.every((one) => one.isWhole()));
      await tell(pair, 'still');
    });
  });
});
