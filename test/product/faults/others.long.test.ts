import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { type Clamd, startClamd } from '../../support/clamd.ts';
import { startDockgate } from '../../support/dockgate.ts';
import { createPusher } from '../../support/pusher.ts';
import { PASSWORD } from './every-path.ts';
import { imageWith } from './fault.ts';
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

  it('cannot come to be with a foreign layer that lies elsewhere: the push of its manifest is refused', async () => {
    const server = await startDockgate({ workers: 1 });
    try {
      await server.addUser('alice', PASSWORD, ['developer', '**']);
      const mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
      const image = await imageWith('elsewhere', {
        layers: [{ bytes: Buffer.from('elsewhere'), mediaType }],
      });
      const pusher = createPusher(server, `alice:${PASSWORD}`);
      for (const blob of [image.config, ...image.layers.slice(0, 1)]) {
        await pusher.blob('bad/elsewhere', blob.bytes, blob.digest);
      }
      const answer = await server.request('/v2/bad/elsewhere/manifests/1', {
        ...{ method: 'PUT', basic: `alice:${PASSWORD}`, body: image.manifest },
        headers: { 'content-type': image.mediaType },
      });
      assert.equal(answer.status, 404);
      assert.match(answer.text, /MANIFEST_BLOB_UNKNOWN/);
    } finally {
      await server.remove();
    }
  });
});
