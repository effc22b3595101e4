import assert from 'node:assert/strict';
import { type Change, createManualClock } from '../../src/base/index.ts';
import { createChangeFeed } from '../../src/cluster/change-feed.ts';

const CHANGE: Change = { topic: 'facts', key: 'a' };

function open() {
  const clock = createManualClock();
  const feed = createChangeFeed({ clock });
  const heard: Change[] = [];
  let lostCount = 0;
  feed.onChange((change) => heard.push(change));
  feed.onLost(() => lostCount++);
  return { clock, feed, heard, lostCount: () => lostCount };
}

describe('a feed of changes', () => {
  it('lets what is cached live 2 s at most before it has begun', () => {
    const { feed } = open();
    assert.equal(feed.lifetimeMsMax(), 2000);
    assert.equal(feed.isWhole(), false);
  });

  it('has caches emptied when it begins, since nobody knows what was missed before', () => {
    const { feed, lostCount } = open();
    feed.begin(7);
    assert.equal(lostCount(), 1);
    assert.equal(feed.lifetimeMsMax(), Number.POSITIVE_INFINITY);
  });

  it('passes on changes in their order', () => {
    const { feed, heard } = open();
    feed.begin(7);
    assert.equal(feed.receive(8, [CHANGE, { topic: 'access' }]), true);
    assert.deepEqual(heard, [CHANGE, { topic: 'access' }]);
  });

  it('is broken by a gap in the numbers, V-22', () => {
    for (const seq of [7, 9]) {
      const { feed, heard, lostCount } = open();
      feed.begin(7);
      assert.equal(feed.receive(seq, [CHANGE]), false);
      assert.deepEqual(heard, []);
      assert.equal(lostCount(), 2);
      assert.equal(feed.lifetimeMsMax(), 2000);
    }
  });

  it('is broken by a sign of life that tells of a change it never got', () => {
    const { feed, lostCount } = open();
    feed.begin(7);
    assert.equal(feed.hear(7), true);
    assert.equal(feed.hear(8), false);
    assert.equal(lostCount(), 2);
  });

  it('is broken after a second of silence, even when no timer ran, F-38', () => {
    const { clock, feed } = open();
    feed.begin(7);
    clock.advance(1000);
    assert.equal(feed.lifetimeMsMax(), Number.POSITIVE_INFINITY);
    clock.advance(1);
    assert.equal(feed.lifetimeMsMax(), 2000);
    assert.equal(feed.isSilent(), true);
  });

  it('is not lost twice', () => {
    const { feed, lostCount } = open();
    feed.begin(7);
    feed.break();
    feed.break();
    assert.equal(lostCount(), 2);
  });
});
