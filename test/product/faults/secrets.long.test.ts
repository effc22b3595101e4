import assert from 'node:assert/strict';
import { secretFaults } from './table.ts';
import { testFaults } from './tests.ts';

describe('images with a secret', function () {
  this.timeout(120_000);
  testFaults({ faults: secretFaults, byPodman: (_, at) => at % 10 === 0, waived: (_, at) => at % 10 === 1 });

  it('are of twelve kinds and more', () => {
    assert.ok(new Set(secretFaults().map(({ says }) => says.source)).size >= 12);
  });
});
