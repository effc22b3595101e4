import assert from 'node:assert/strict';
import { MEDIA_TYPES } from '../../src/oci/index.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage, digestOf } from '../support/image.ts';
import { createPusher, type Pusher } from '../support/pusher.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const PASSWORD = 'correct-horse-battery-9';
const EMPTY = new TextEncoder().encode('{}');

/** A manifest whose one layer says that it lies elsewhere. */
function naming(layer: { readonly digest: string; readonly bytes: Uint8Array }): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: 'application/vnd.example.thing',
    config: { mediaType: MEDIA_TYPES.ociEmpty, digest: digestOf(EMPTY), size: EMPTY.length },
    layers: [
      {
        mediaType: 'application/vnd.example.blob',
        digest: layer.digest,
        size: layer.bytes.length,
        urls: ['https://example.com/layer'],
      },
    ],
  });
}

describe('what another repository holds', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let pusher: Pusher;
  let image: BuiltImage;
  let layer: BuiltImage['layers'][number];

  before(async () => {
    server = await startDockgate();
    await server.addUser('owner', PASSWORD, ['maintainer', 'secret/**']);
    await server.addUser('mallory', PASSWORD, ['maintainer', 'own/**']);
    image = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'plan', data: 'of the owner' }]] });
    layer = image.layers[0] ?? assert.fail('the image has no layer');
    await createPusher(server, `owner:${PASSWORD}`).push('secret/app', image, '1');
    pusher = createPusher(server, `mallory:${PASSWORD}`);
  });
  after(() => server.remove());

  const asMallory = (path: string, more: Parameters<Dockgate['request']>[1] = {}) =>
    server.request(path, { basic: `mallory:${PASSWORD}`, ...more });

  it('V-18, N-13: is not given because a manifest names it as a layer that lies elsewhere', async () => {
    await pusher.blob('own/app', EMPTY, digestOf(EMPTY));
    const pushed = await asMallory('/v2/own/app/manifests/1', {
      method: 'PUT',
      headers: { 'content-type': MEDIA_TYPES.ociManifest },
      body: naming(layer),
    });
    assert.equal(pushed.status, 404);
    assert.match(pushed.text, /MANIFEST_BLOB_UNKNOWN/);
    assert.equal((await asMallory(`/v2/own/app/blobs/${layer.digest}`)).status, 404);
  });

  it('N-23: is not given by a repository whose own blob was deleted', async () => {
    await pusher.push('own/copy', image, '1');
    const path = `/v2/own/copy/blobs/${layer.digest}`;
    await asMallory('/v2/own/copy/manifests/1');
    assert.equal((await asMallory(path)).status, 200);
    assert.equal((await asMallory(path, { method: 'DELETE' })).status, 202);
    assert.equal((await asMallory(path)).status, 404);
    assert.equal((await asMallory(path, { method: 'HEAD' })).status, 404);
    const owners = await server.request(`/v2/secret/app/blobs/${layer.digest}`, {
      basic: `owner:${PASSWORD}`,
    });
    assert.equal(owners.status, 200);
  });
});

describe('a registry behind the gateway that takes layers from elsewhere', function () {
  this.timeout(120_000);

  it('V-18: is not asked to take a manifest whose layer it does not hold', async () => {
    const upstream = await startRawUpstream(({ line }, socket) => {
      const status = line.startsWith('PUT') ? '201 Created' : '404 Not Found';
      socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    });
    const server = await startDockgate({ config: `upstreams:\n  - url: ${upstream.url}\n` });
    try {
      await server.addUser('mallory', PASSWORD, ['developer', 'own/**']);
      const bytes = new TextEncoder().encode('somewhere');
      const pushed = await server.request('/v2/own/app/manifests/1', {
        method: 'PUT',
        basic: `mallory:${PASSWORD}`,
        headers: { 'content-type': MEDIA_TYPES.ociManifest },
        body: naming({ digest: digestOf(bytes), bytes }),
      });
      assert.equal(pushed.status, 404);
      assert.match(pushed.text, /MANIFEST_BLOB_UNKNOWN/);
      assert.deepEqual(
        upstream.requests.filter(({ line }) => line.startsWith('PUT')),
        [],
      );
    } finally {
      await server.remove();
      await upstream.close();
    }
  });
});

describe('what a registry behind the gateway has lost', function () {
  this.timeout(120_000);

  it('F-37: can be deleted here, too, and is then not served from what was kept of it', async () => {
    const image = await buildImage();
    let isThere = true;
    const upstream = await startRawUpstream(({ line }, socket) => {
      const isManifest = isThere && line.includes('/manifests/') && !line.startsWith('DELETE');
      const head = isManifest
        ? `HTTP/1.1 200 OK\r\nContent-Type: ${image.mediaType}\r\nDocker-Content-Digest: ${image.digest}\r\n` +
          `Content-Length: ${image.manifest.length}\r\n\r\n`
        : 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n';
      socket.write(head);
      if (isManifest && line.startsWith('GET')) socket.write(image.manifest);
    });
    const server = await startDockgate({ config: `upstreams:\n  - url: ${upstream.url}\n` });
    try {
      await server.addUser('mia', PASSWORD, ['maintainer', 'own/**']);
      const ask = async (method: string): Promise<number> => {
        const path = `/v2/own/app/manifests/${image.digest}`;
        return (await server.request(path, { method, basic: `mia:${PASSWORD}` })).status;
      };
      assert.equal(await ask('HEAD'), 200);
      isThere = false;
      assert.equal(await ask('HEAD'), 200, 'kept');
      assert.equal(await ask('DELETE'), 202);
      assert.equal(await ask('HEAD'), 404);
      assert.equal(await ask('DELETE'), 404);
    } finally {
      await server.remove();
      await upstream.close();
    }
  });
});
