import { startDockerRegistry } from '../support/docker-registry.ts';
import { itConformsBehindTheGateway } from './behind.ts';

describe('the conformance suite on docker-registry 2.8 behind the gateway', function () {
  this.timeout(600_000);

  itConformsBehindTheGateway({
    name: 'docker-registry',
    start: startDockerRegistry,
    hasReferrers: false,
    mended: ['Blob post only', 'Blob mount', 'Manifest put with subject', 'Referrers'],
    runsUnderShippedPolicy: false,
  });
});
