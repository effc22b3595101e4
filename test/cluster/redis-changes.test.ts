import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type Change, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts';
import { openRedisChanges, type RedisChanges } from '../../src/cluster/index.ts';
import { type RedisServer, reserveRedisServer } from './redis-server.ts';
import { until } from './until.ts';

const KEY = randomBytes(32);

describe('changes between replicas through Redis', function () {
  this.slow(4000);
  let server: RedisServer;
  const opened: RedisChanges[] = [];

  beforeEach(async () => {
    server = await reserveRedisServer();
    await server.start();
  });
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
    await server.remove();
  });

  function open(): { replica: RedisChanges; heard: Change[]; lostCount(): number; isWhole(): boolean } {
    const replica = openRedisChanges(
      { url: server.url, commandMsMax: 1000 },
      { hmacKey: KEY, clock: systemClock, random: systemRandom, logger: silentLogger },
    );
    opened.push(replica);
    const heard: Change[] = [];
    let lostCount = 0;
    replica.changes.onChange((change) => heard.push(change));
    replica.changes.onLost(() => lostCount++);
    const isWhole = (): boolean => replica.changes.lifetimeMsMax() === Number.POSITIVE_INFINITY;
    return { replica, heard, lostCount: () => lostCount, isWhole };
  }

  async function openPair() {
    const pair = [open(), open()] as const;
    await until(() => pair.every((one) => one.isWhole() && one.lostCount() >= 2));
    return pair;
  }

  it('reach the others, in order, and not their sender', async () => {
    const [first, second] = await openPair();
    await first.replica.publish([{ topic: 'facts', key: 'a' }, { topic: 'access' }]);
    await first.replica.publish([{ topic: 'policies' }]);
    await until(() => second.heard.length === 3);
    assert.deepEqual(second.heard, [
      { topic: 'facts', key: 'a' },
      { topic: 'access' },
      { topic: 'policies' },
    ]);
    assert.deepEqual(first.heard, []);
  });

  it('let what is cached live 2 s at most before the channel carries', () => {
    assert.equal(open().replica.changes.lifetimeMsMax(), 2000);
  });

  it('empty caches when a replica appears that was not heard before', async () => {
    const first = open();
    await until(() => first.isWhole());
    const before = first.lostCount();
    open();
    await until(() => first.lostCount() > before);
  });

  it('empty caches when one was missed, V-22', async () => {
    const [first, second] = await openPair();
    const before = second.lostCount();
    // Cut off for a moment: what is published meanwhile reaches nobody.
    await server.admin().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await first.replica.publish([{ topic: 'facts', key: 'missed' }]);
    await until(() => second.lostCount() > before);
    assert.deepEqual(second.heard, []);
    await until(() => first.isWhole() && second.isWhole());
  });

  it('are broken while Redis is away or hangs, and whole again after it, F-01, F-02', async () => {
    const [first, second] = await openPair();
    server.signal('SIGSTOP');
    await until(() => !first.isWhole() && !second.isWhole());
    assert.equal(first.replica.changes.lifetimeMsMax(), 2000);
    server.signal('SIGCONT');
    await until(() => first.isWhole() && second.isWhole());
    const before = [first.lostCount(), second.lostCount()];
    await server.kill();
    await until(() => !first.isWhole() && !second.isWhole());
    await server.start();
    await until(() => first.isWhole() && second.isWhole());
    assert.ok(first.lostCount() > (before[0] ?? 0) && second.lostCount() > (before[1] ?? 0));
    await first.replica.publish([{ topic: 'links' }]);
    await until(() => second.heard.some((change) => change.topic === 'links'));
  });

  it('are broken while a replica that was there is silent, and not when it said that it stops', async () => {
    const [first, second] = await openPair();
    await second.replica.close();
    opened.splice(opened.indexOf(second.replica), 1);
    const deadlineMs = performance.now() + 1500;
    await until(() => performance.now() > deadlineMs);
    await until(() => first.isWhole());
  });

  it('from whoever has no key are ignored, and old ones put back as well', async () => {
    const [first, second] = await openPair();
    const admin = server.admin();
    const spy = server.admin();
    const messages: string[] = [];
    await spy.subscribe('v1:changes');
    spy.on('message', (_channel, text) => messages.push(text));
    await first.replica.publish([{ topic: 'facts', key: 'a' }]);
    await until(() => second.heard.length === 1 && messages.some((text) => text.includes('"a"')));
    const old = messages.find((text) => text.includes('"a"')) ?? '';
    for (const text of [
      old,
      'noise',
      '',
      `${'A'.repeat(43)}{"sender":"x","count":1,"seq":1}`,
      old.replace('"a"', '"b"'),
    ]) {
      await admin.publish('v1:changes', text);
    }
    await first.replica.publish([{ topic: 'keys' }]);
    await until(() => second.heard.length === 2);
    assert.deepEqual(second.heard.at(-1), { topic: 'keys' });
  });
});
