import { existsSync } from 'node:fs';
import { type Clamd, startClamd } from '../../support/clamd.ts';
import { malwareFaults, otherFaults } from './table.ts';
import { testFaults } from './tests.ts';

const hasClamd = existsSync('/usr/sbin/clamd');

describe('images with malware, too old, foreign or that nobody can read', function () {
  this.timeout(120_000);
  let clamd: Clamd | undefined;
  before(async () => {
    if (hasClamd) clamd = await startClamd();
    else console.log('      SKIPPED: no clamd is installed, so nothing looks for malware');
  });
  after(() => clamd?.stop());

  testFaults({
    faults: () => [...(hasClamd ? malwareFaults() : []), ...otherFaults()],
    ...(hasClamd ? { clamd: () => clamd?.path ?? '' } : {}),
    byPodman: ({ name }) => /deletes|old image|broken gzip/.test(name),
    waived: () => true,
  });
});
