import assert from 'node:assert/strict';
import { createGathering } from '../../src/audit/gathering.ts';

/** Longer than any test may take: what waits for it waits for ever. */
const FOREVER_MS = 600_000;

describe('what a write of the access log waits for', () => {
  it('waits for the rest of the turn alone, where nobody is expected', async () => {
    const queue = ['one'];
    const gathering = createGathering(FOREVER_MS, () => queue.length);
    const waited = gathering.wait().then(() => queue.length);
    setImmediate(() => queue.push('in a later turn'));
    queue.push('in this turn');
    assert.equal(await waited, 2);
  });

  it('waits until as many came as the last write answered and found waiting', async () => {
    let count = 2;
    const gathering = createGathering(FOREVER_MS, () => count);
    gathering.wrote(6);
    let isOver = false;
    const waited = gathering.wait().then(() => {
      isOver = true;
    });
    for (count = 3; count < 8; count += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      gathering.came();
      assert.equal(isOver, false, `${count} of 8 are there`);
    }
    gathering.came();
    await waited;
  });

  it('waits for those who do not come no longer than it may', async () => {
    const gathering = createGathering(1, () => 1);
    gathering.wrote(100);
    await gathering.wait();
    assert.ok(true, 'or this test would not end');
  });

  it('waits for nobody when fewer than a crowd ask, or when it may not', async () => {
    const few = createGathering(FOREVER_MS, () => 1);
    few.wrote(2);
    await few.wait();
    const never = createGathering(0, () => 1);
    never.wrote(100);
    await never.wait();
    assert.ok(true, 'or this test would not end');
  });
});
