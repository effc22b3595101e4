import { buildahClient, podmanClient, skopeoClient } from './container-client.ts';
import { everyClient } from './every-client.ts';

const wrongPassword = /invalid username\/password/;

describe('skopeo, podman and buildah', function () {
  this.timeout(120_000);
  everyClient([
    { name: 'skopeo', create: skopeoClient, wrongPassword },
    { name: 'podman', create: podmanClient, wrongPassword },
    { name: 'buildah', create: buildahClient, wrongPassword },
  ]);
});
