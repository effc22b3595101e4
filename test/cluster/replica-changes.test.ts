import assert from 'node:assert/strict';
import { type Change, createLocalChanges, createManualClock, silentLogger } from '../../src/base/index.ts';
import { openReplicaChanges, type RedisChanges, type ReplicaChanges } from '../../src/cluster/index.ts';
import { until } from './until.ts';

/** A log that is read as the test says: at once, not at all, or with an error. */
function createLog() {
  const entries: (readonly Change[])[] = [];
  let mode: 'answers' | 'hangs' | 'fails' = 'answers';
  const hanging: (() => void)[] = [];
  let readCount = 0;
  let pruneCount = 0;
  const read = async <T>(value: () => T): Promise<T> => {
    readCount++;
    if (mode === 'hangs') await new Promise<void>((resolve) => hanging.push(resolve));
    if (mode === 'fails') throw new Error('the database is away');
    return value();
  };
  return {
    add: (...changes: readonly Change[]) => void entries.push(changes),
    become: (next: typeof mode) => {
      mode = next;
      for (const go of hanging.splice(0)) go();
    },
    readCount: () => readCount,
    pruneCount: () => pruneCount,
    newest: () => read(() => entries.length),
    after: (seq: number) =>
      read(() => ({
        entries: entries.slice(seq).map((changes) => ({ changes })),
        newest: entries.length,
      })),
    prune: async () => void pruneCount++,
  };
}

function createRedis() {
  const local = createLocalChanges();
  const told: Change[] = [];
  let isWhole = false;
  const redis: RedisChanges = {
    publish: async (changes) => void told.push(...changes),
    changes: { ...local, lifetimeMsMax: () => (isWhole ? Number.POSITIVE_INFINITY : 2000) },
    close: async () => {},
  };
  return {
    ...{ redis, told, local },
    become: (whole: boolean) => {
      isWhole = whole;
    },
  };
}

describe('what a replica hears of the others', () => {
  const clock = createManualClock();
  let log: ReturnType<typeof createLog>;
  let channel: ReturnType<typeof createRedis>;
  let heard: Change[];
  let lostCount: number;
  let opened: ReplicaChanges | undefined;
  beforeEach(() => {
    log = createLog();
    channel = createRedis();
    heard = [];
    lostCount = 0;
  });
  afterEach(async () => {
    log.become('answers');
    await opened?.close();
  });

  async function open(withRedis = true): Promise<ReplicaChanges> {
    const line = {
      publish: async (changes: readonly Change[]) => void heard.push(...changes),
      lose: async () => void lostCount++,
    };
    const redis = withRedis ? channel.redis : undefined;
    opened = await openReplicaChanges({ lookMs: 5 }, { log, redis, line, clock, logger: silentLogger });
    return opened;
  }
  async function looks(count = 2): Promise<void> {
    const before = log.readCount();
    await until(() => log.readCount() >= before + count);
  }

  it('is read from the log, each change once, and nothing of before it started', async () => {
    log.add({ topic: 'keys' });
    const replica = await open(false);
    log.add({ topic: 'access', key: 'x' }, { topic: 'facts' });
    await until(() => heard.length === 2);
    log.add({ topic: 'policies' });
    await until(() => heard.length === 3);
    await looks();
    assert.deepEqual(heard, [{ topic: 'access', key: 'x' }, { topic: 'facts' }, { topic: 'policies' }]);
    assert.equal(replica.isWhole(), true);
    await replica.publish([{ topic: 'links' }]);
  });

  it('comes by Redis without a look into the log, and goes to the others the same way', async () => {
    const replica = await open();
    log.become('fails');
    channel.local.publish({ topic: 'access', key: 'y' });
    assert.deepEqual(heard, [{ topic: 'access', key: 'y' }]);
    await replica.publish([{ topic: 'links' }]);
    assert.deepEqual(channel.told, [{ topic: 'links' }]);
  });

  it('is broken a second after the last reading, and then all that is cached goes, V-22', async () => {
    const replica = await open();
    await looks();
    log.become('fails');
    await looks();
    clock.advance(1000);
    assert.equal(replica.isWhole(), true);
    assert.equal(lostCount, 0);
    clock.advance(1);
    assert.equal(replica.isWhole(), false);
    await until(() => lostCount === 1);
    await looks();
    assert.equal(lostCount, 1);
  });

  it('counts a reading from when it began: what hangs says nothing of now', async () => {
    const replica = await open();
    await looks();
    log.become('hangs');
    await looks(1);
    clock.advance(1001);
    assert.equal(replica.isWhole(), false);
  });

  it('is whole by Redis alone, and lost when Redis misses something meanwhile', async () => {
    const replica = await open();
    channel.become(true);
    log.become('fails');
    clock.advance(5000);
    assert.equal(replica.isWhole(), true);
    await looks();
    assert.equal(lostCount, 0);
    channel.local.lose();
    assert.equal(lostCount, 1);
  });

  it('is not lost by a gap in Redis while the log is read', async () => {
    await open();
    channel.local.lose();
    assert.equal(lostCount, 0);
  });

  it('is whole again when the log is, after caches were emptied once more', async () => {
    const replica = await open();
    log.become('fails');
    clock.advance(1500);
    await until(() => lostCount === 1);
    log.add({ topic: 'access' });
    log.become('answers');
    await until(() => replica.isWhole());
    assert.equal(lostCount, 2);
    assert.deepEqual(heard, []);
    log.add({ topic: 'policies' });
    await until(() => heard.length === 1);
  });

  it('is told once a minute to forget what is old', async () => {
    await open();
    await looks();
    assert.equal(log.pruneCount(), 0);
    clock.advance(60_000);
    await until(() => log.pruneCount() === 1);
  });
});
