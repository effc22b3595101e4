import assert from 'node:assert/strict';
import { type Changes, createManualClock } from '../../src/base/index.ts';
import { createLiveCache } from '../../src/verdicts/live-cache.ts';
import { gate } from './world.ts';

function open(lifetime: { ms: number } = { ms: Number.POSITIVE_INFINITY }) {
  const clock = createManualClock();
  const changes: Changes = {
    onChange: () => () => {},
    onLost: () => () => {},
    lifetimeMsMax: () => lifetime.ms,
  };
  const cache = createLiveCache<number>({ entriesMax: 3 }, { changes, clock });
  let loadCount = 0;
  const load = async () => ({ value: ++loadCount });
  return { clock, cache, load, loadCount: () => loadCount };
}

describe('what is kept in memory', () => {
  it('is loaded once for callers at the same time and later', async () => {
    const { cache, load } = open();
    assert.deepEqual(await Promise.all([cache.get('a', load), cache.get('a', load)]), [1, 1]);
    assert.equal(await cache.get('a', load), 1);
  });

  it('ends at the instant until which it is valid', async () => {
    const { cache, clock, load } = open();
    const endsAtMs = clock.nowMs() + 1000;
    const ending = async () => ({ ...(await load()), validUntilMs: endsAtMs });
    await cache.get('a', ending);
    clock.advance(999);
    assert.equal(await cache.get('a', ending), 1);
    clock.advance(1);
    assert.equal(await cache.get('a', ending), 2);
  });

  it('lives as long as the channel of changes allows now, counted from before it was read', async () => {
    const lifetime = { ms: Number.POSITIVE_INFINITY };
    const { cache, clock, load } = open(lifetime);
    await cache.get('a', async () => {
      clock.advance(1500);
      return load();
    });
    assert.equal(await cache.get('a', load), 1);
    lifetime.ms = 2000;
    clock.advance(499);
    assert.equal(await cache.get('a', load), 1);
    clock.advance(1);
    assert.equal(await cache.get('a', load), 2);
  });

  it('is not kept when it is for one caller only', async () => {
    const { cache, load } = open();
    await cache.get('a', async () => ({ ...(await load()), isKept: false }));
    assert.equal(await cache.get('a', load), 2);
  });

  it('is dropped by the beginning of its key', async () => {
    const { cache, load } = open();
    await cache.get('a 1', load);
    await cache.get('b 1', load);
    cache.drop('a');
    assert.equal(await cache.get('b 1', load), 2);
    assert.equal(await cache.get('a 1', load), 3);
  });

  for (const [how, end] of [
    ['a drop', (cache: { drop(prefix: string): void }) => cache.drop('a')],
    ['a clearing', (cache: { clear(): void }) => cache.clear()],
  ] as const) {
    it(`does not outlive ${how} that came while it was being read, nor is it given to later callers, V-22`, async () => {
      const { cache, load } = open();
      const reading = gate();
      const early = cache.get('a', async () => {
        await reading.opened;
        return { value: 100 };
      });
      end(cache);
      const late = cache.get('a', load);
      reading.open();
      assert.deepEqual(await Promise.all([early, late]), [100, 1]);
      assert.equal(await cache.get('a', load), 1);
    });
  }

  it('remembers no failure', async () => {
    const { cache, load } = open();
    await assert.rejects(cache.get('a', () => Promise.reject(new Error('away'))));
    assert.equal(await cache.get('a', load), 1);
  });

  it('is bounded', async () => {
    const { cache, load, loadCount } = open();
    for (const key of ['a', 'b', 'c', 'd', 'a']) await cache.get(key, load);
    assert.equal(loadCount(), 5);
  });
});
