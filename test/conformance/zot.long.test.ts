import { itConformsBehindTheGateway } from './behind.ts';
import { skipWithoutZot, startZot } from './zot.ts';

describe('the conformance suite on zot behind the gateway', function () {
  this.timeout(600_000);

  itConformsBehindTheGateway({
    name: 'zot',
    start: startZot,
    skipWithout: skipWithoutZot,
    hasReferrers: true,
    mended: ['Blob post only'],
    runsUnderShippedPolicy: true,
  });
});
