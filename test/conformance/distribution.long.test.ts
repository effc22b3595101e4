import { startDockerRegistry } from '../support/docker-registry.ts';
import { goProgram, skipWithoutGoProgram } from '../support/go-program.ts';
import { itConformsBehindTheGateway } from './behind.ts';

describe('the conformance suite on distribution 3 behind the gateway', function () {
  this.timeout(600_000);

  itConformsBehindTheGateway({
    name: 'distribution',
    start: () => startDockerRegistry({ program: goProgram('distribution') }),
    skipWithout: (hook) => skipWithoutGoProgram(hook, 'distribution'),
    hasReferrers: false,
    mended: ['Blob post only', 'Blob mount', 'Manifest put with subject', 'Referrers'],
    runsUnderShippedPolicy: true,
  });
});
