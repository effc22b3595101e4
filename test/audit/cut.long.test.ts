import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyLog } from '../../src/audit/index.ts';
import { afterward, missingAfterRestart, seeded } from './power.ts';
import { canTrace, traceWork } from './traced.ts';

/** What is played comes from so many runs, each under another load. */
const RUNS = 4;
const CUTS = 1000;
const POWER_LOSSES = 200;

describe('a log that nobody tampered with', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = seeded(seed);

  before(async function () {
    if (!(await canTrace())) this.skip();
    console.log(`      seed ${seed}`);
  });

  it(`is not reported when kill -9 cut it at ${CUTS} random points, between system calls and within writes`, async function () {
    this.timeout(1_800_000);
    let answersMax = 0;
    let tornCount = 0;
    for (let run = 0; run < RUNS; run += 1) {
      const traced = await traceWork(1000 + 500 * run);
      try {
        for (const state of traced.moments(CUTS / RUNS, random)) {
          await afterward(state, random, 'killed', async (directory, answered) => {
            const publicKey = await readFile(join(directory, 'log/key.pub'), 'utf8');
            const report = await verifyLog({ directory, publicKey });
            assert.equal(report.damage, undefined, `seed ${seed}: ${report.damage?.message}`);
            assert.ok(
              report.size + report.waiting >= answered.length,
              `seed ${seed}: an answer without a record`,
            );
            if (report.tornBytes > 0) tornCount += 1;
            answersMax = Math.max(answersMax, answered.length);
          });
        }
      } finally {
        await traced.end();
      }
    }
    console.log(`      up to ${answersMax} answers, ${tornCount} logs with a torn tail`);
    assert.ok(answersMax > 900);
  });

  it(`is whole again after ${POWER_LOSSES} power losses, with every record that was acknowledged`, async function () {
    this.timeout(1_800_000);
    const traced = await traceWork(1500);
    try {
      for (const state of traced.moments(POWER_LOSSES, random)) {
        await afterward(state, random, 'unpowered', async (directory, answered) => {
          const publicKey = await readFile(join(directory, 'log/key.pub'), 'utf8');
          const { damage } = await verifyLog({ directory, publicKey });
          assert.equal(damage, undefined, `seed ${seed}: ${damage?.message}`);
          assert.deepEqual(await missingAfterRestart(directory, answered), [], `seed ${seed}`);
        });
      }
    } finally {
      await traced.end();
    }
  });
});
