import assert from 'node:assert/strict';
import { afterward, missingAfterRestart, seeded } from './power.ts';
import { canTrace, type Traced, traceWork } from './traced.ts';

describe('a power loss', () => {
  let traced: Traced | undefined;

  before(async function () {
    this.timeout(120_000);
    // Elsewhere the longer run of the same (power-loss.long.test.ts) is left out, too.
    if (!(await canTrace())) this.skip();
    traced = await traceWork(400);
  });
  after(() => traced?.end());

  it('takes no record that was acknowledged, and leaves a log that verifies, at random moments', async function () {
    this.timeout(120_000);
    assert.ok(traced);
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seeded(seed);
    for (const state of traced.moments(12, random)) {
      await afterward(state, random, 'unpowered', async (directory, answered) => {
        assert.deepEqual(await missingAfterRestart(directory, answered), [], `seed ${seed}`);
      });
    }
  });

  it('would take records if nothing were synced: what discards them does discard', async function () {
    this.timeout(120_000);
    assert.ok(traced);
    const random = seeded(1);
    let lost = 0;
    for (const state of traced.moments(5, random)) {
      await afterward(state, random, 'without fsync', async (directory, answered) => {
        const missing = await missingAfterRestart(directory, answered).catch(() => answered);
        lost += missing.length;
      });
    }
    assert.ok(lost > 0);
  });
});
