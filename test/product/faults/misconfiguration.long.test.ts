import assert from 'node:assert/strict';
import { misconfigurationFaults } from './table.ts';
import { testFaults } from './tests.ts';

describe('images that are set up wrongly', function () {
  this.timeout(120_000);
  testFaults({
    faults: misconfigurationFaults,
    byPodman: (_, at) => at % 10 === 0,
    waived: (_, at) => at % 8 === 1,
  });

  it('are of twenty kinds and more', () => {
    assert.ok(new Set(misconfigurationFaults().map(({ name }) => name)).size >= 20);
  });
});
