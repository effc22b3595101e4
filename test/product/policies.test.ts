import assert from 'node:assert/strict';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage, buildIndex } from '../support/image.ts';
import { createPusher, type Pusher } from '../support/pusher.ts';

const PASSWORD = 'correct-horse-battery-9';
const POLICY = `policies:
  - name: release
    match: ["prod/**"]
    rules: { scanned: { by: [inspector], within: 7d }, superseded: { max: 100d } }
    push:
      immutableTags: ["v*"]
      size: { layers: 2 }
`;

const imageOf = (text: string, layers = 1) =>
  buildImage({
    config: { user: 'app' },
    layers: Array.from({ length: layers }, (_, at) => [{ path: `app${at}`, data: `${text} ${at}` }]),
  });

describe('policies with rules for pushes, and denied digests', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let pusher: Pusher;

  before(async () => {
    server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    await server.run(['policy', 'apply', '-f', '-'], POLICY);
    pusher = createPusher(server, `alice:${PASSWORD}`);
  });
  after(() => server.remove());

  const refusalOf = async (push: Promise<void>): Promise<string> =>
    push.then(
      () => 'pushed',
      (error: unknown) => String(error),
    );
  const get = async (path: string) => (await server.request(path, { basic: `alice:${PASSWORD}` })).text;

  it('a tag that a policy makes immutable is set once, and may be set to the same again', async () => {
    const first = await imageOf('first');
    await pusher.push('prod/app', first, 'v1');
    await pusher.push('prod/app', first, 'v1');
    const refused = await refusalOf(pusher.push('prod/app', await imageOf('second'), 'v1'));
    assert.match(refused, /403 .*IMAGE_BLOCKED.*rule immutableTags of policy release: tag v1 is immutable/);
    assert.equal(await get('/v2/prod/app/manifests/v1'), Buffer.from(first.manifest).toString());
    await pusher.push('prod/app', await imageOf('second'), 'latest');
    await pusher.push('prod/app', await imageOf('third'), 'latest');
  });

  it('a manifest of more layers than may be pushed is not stored', async () => {
    const large = await imageOf('large', 3);
    const refused = await refusalOf(pusher.push('prod/app', large, 'large'));
    assert.match(refused, /403 .*rule size of policy release: it has 3 layers, at most 2 are allowed/);
    assert.match(await get(`/v2/prod/app/manifests/${large.digest}`), /MANIFEST_UNKNOWN/);
    await pusher.push('lab/app', large, 'large');
    const log = await server.run(['audit', 'search', '--reason', 'policy.size', '--json']);
    assert.match(log, /"rule":"size"/);
  });

  it('a denied digest is refused by every path, and served again when it is denied no longer', async () => {
    const image = await imageOf('wormy');
    const index = buildIndex([image]);
    await pusher.push('lab/worm', index, '1');
    const layer = String(image.layers[0]?.digest);
    const paths = ['manifests/1', `manifests/${image.digest}`, `blobs/${layer}`];
    for (const path of paths) assert.doesNotMatch(await get(`/v2/lab/worm/${path}`), /BLOCKED/);
    await server.run(['image', 'block', layer, '--reason', 'carries a worm']);
    for (const path of paths) {
      assert.match(await get(`/v2/lab/worm/${path}`), /IMAGE_BLOCKED.*rule denied: .*carries a worm/, path);
    }
    await server.run(['image', 'unblock', layer]);
    await server.run(['image', 'block', index.digest, '--reason', 'carries a worm']);
    assert.match(await get('/v2/lab/worm/manifests/1'), /IMAGE_BLOCKED/);
    await server.run(['image', 'unblock', index.digest]);
    for (const path of paths) assert.doesNotMatch(await get(`/v2/lab/worm/${path}`), /BLOCKED/);
  });
});
