import assert from 'node:assert/strict';
import { readOptions } from '../bench/options.ts';
import { printPage } from '../bench/page.ts';
import { drawSet } from '../bench/plot.ts';
import type { Results, Sample } from '../bench/results.ts';
import { SETS } from '../bench/sets.ts';

/** Requests a second of two rounds, by peer. */
const RATES = { dockgate: [12_000, 8000], 'docker-registry': [900, 1100] };

const samples: readonly Sample[] = Object.entries(RATES).flatMap(([column, rates]) =>
  rates.map((perSecond) => ({ row: 'manifest-digest-32', column, values: { perSecond } })),
);
const machine = { processors: '2 x test', memoryGiB: 4, kernel: 'test', node: 'v26', loadBefore: 0 };
const run = { startedAt: '2026-01-01T00:00:00.000Z', seconds: 1, rounds: 2, isQuick: false, machine };
const results: Results = { sets: { 'manifest-warm': { ...run, samples, notes: [] } }, missing: ['zot: no'] };

describe('what the bench says', () => {
  it('has the median of the rounds, the lowest and highest, and the ratio to docker-registry', () => {
    assert.ok(
      printPage(results).includes('| requests/s | 10000 (8000 to 12000), 10.00 × | 1000 (900 to 1100) |'),
    );
  });

  it('says of each target whether it is met, and which was not measured', () => {
    const page = printPage(results);
    const name = 'manifest by digest, warm, 32 connections';
    assert.ok(page.includes(`| ${name} | ≥ 10 × docker-registry | 10.00 × | met |`));
    assert.ok(
      page.includes('| manifest by tag, warm, 32 connections | ≥ 8 × docker-registry | not measured |  |'),
    );
  });

  it('names the peers that were not there', () => {
    assert.ok(printPage(results).includes('- Not here: zot: no'));
  });

  it('draws a bar for each peer, the longest over the whole width', () => {
    const [set] = SETS;
    assert.ok(set);
    const drawn = drawSet(results, set);
    assert.equal(drawn.match(/<rect x=/g)?.length, 2);
    assert.ok(!drawn.includes('NaN'));
  });

  it('has no id of a set or of a row twice, and text in every one', () => {
    const rows = SETS.flatMap((set) => set.rows);
    for (const list of [SETS, rows]) assert.equal(new Set(list.map(({ id }) => id)).size, list.length);
    for (const { metrics } of rows) assert.notEqual(metrics.length, 0);
  });

  it('refuses a set that is none and says which there are', () => {
    assert.throws(() => readOptions(['--only', 'everything']), /there is manifest-warm, /);
  });

  it('leaves the page as it is after a quick run', () => {
    const options = readOptions(['--quick']);
    assert.ok(typeof options === 'object' && options.out === undefined);
  });
});
