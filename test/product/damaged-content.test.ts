import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { hexOf } from '../../src/oci/index.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltBlob, type BuiltImage, buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';

const PASSWORD = 'correct-horse-battery-9';

describe('content that is damaged on disk (S-18)', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let image: BuiltImage;
  let layer: BuiltBlob;

  before(async () => {
    server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    await server.addUser('bob', PASSWORD, ['reader', '**']);
    image = await buildImage({
      config: { user: 'app' },
      layers: [[{ path: 'data', data: randomBytes(2_500_000) }]],
    });
    const [first] = image.layers;
    assert.ok(first);
    layer = first;
    await createPusher(server, `alice:${PASSWORD}`).push('team/app', image, 'v1');
    assert.ok((await pull()).equals(layer.bytes));
  });
  after(() => server.remove());

  const ask = (path: string, user: string, method = 'GET') =>
    server.request(`/v2/team/app/${path}`, { method, basic: `${user}:${PASSWORD}` });
  const pull = async (): Promise<Buffer> => {
    // The first pull waits for the scan and makes the blob one that an admitted manifest names.
    assert.equal((await ask('manifests/v1', 'bob')).status, 200);
    const answer = await ask(`blobs/${layer.digest}`, 'bob');
    assert.equal(answer.status, 200);
    return answer.body;
  };

  it('is never served whole, is then gone, and is there again once it is pushed again', async () => {
    const hex = hexOf(layer.digest);
    const file = await open(join(server.data, 'content', 'sha256', hex.slice(0, 2), hex), 'r+');
    await file.write(Buffer.from([(layer.bytes[1_234_567] ?? 0) ^ 1]), 0, 1, 1_234_567);
    await file.close();

    await assert.rejects(ask(`blobs/${layer.digest}`, 'bob'), 'the damaged blob was served whole');
    const gone = await ask(`blobs/${layer.digest}`, 'bob');
    assert.equal(gone.status, 404);
    assert.match(gone.text, /BLOB_UNKNOWN/);
    // Told that it is here, a client would not upload it and nothing would ever mend it.
    assert.equal((await ask(`blobs/${layer.digest}`, 'alice', 'HEAD')).status, 404);

    await createPusher(server, `alice:${PASSWORD}`).push('team/app', image, 'v1');
    assert.equal((await ask(`blobs/${layer.digest}`, 'alice', 'HEAD')).status, 200);
    assert.ok((await pull()).equals(layer.bytes));
  });
});
