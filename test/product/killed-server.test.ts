import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as passing } from 'node:timers/promises';
import { MiB } from '../../src/base/index.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';

const PASSWORD = 'correct-horse-battery-9';
const ROUNDS = 5;

describe('a server that is killed', function () {
  this.timeout(180_000);

  it('F-24: has after its restart every image whose push it acknowledged, and a log that verifies', async () => {
    let server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    const { directory, port } = server;
    const acknowledged: string[] = [];
    const images = new Map<string, BuiltImage>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const image = await buildImage({
        config: { user: 'app' },
        layers: [[{ path: 'x', data: randomBytes(2 * MiB) }]],
      });
      const name = `team/killed${round}`;
      images.set(name, image);
      const pushing = pushQuietly(server, name, image).then((isDone) => {
        if (isDone) acknowledged.push(name);
      });
      await passing(Math.random() * 150);
      await server.killAll();
      await pushing;
      server = await startDockgate({ directory, port });
      for (const known of acknowledged) await assertWhole(server, known, images.get(known));
    }
    assert.match(await server.run(['audit', 'verify']), /the log is whole/);
    await server.remove();
  });
});

async function pushQuietly(server: Dockgate, name: string, image: BuiltImage): Promise<boolean> {
  return createPusher(server, `alice:${PASSWORD}`)
    .push(name, image, '1')
    .then(
      () => true,
      () => false,
    );
}

async function assertWhole(server: Dockgate, name: string, image: BuiltImage | undefined): Promise<void> {
  const basic = `alice:${PASSWORD}`;
  const manifest = await server.request(`/v2/${name}/manifests/1`, { basic });
  assert.equal(manifest.status, 200, manifest.text);
  assert.deepEqual(manifest.body, Buffer.from(image?.manifest ?? []));
  for (const { digest } of [...(image ? [image.config, ...image.layers] : [])]) {
    const blob = await server.request(`/v2/${name}/blobs/${digest}`, { basic });
    assert.equal(blob.status, 200, blob.text);
    assert.equal(`sha256:${createHash('sha256').update(blob.body).digest('hex')}`, digest);
  }
}
