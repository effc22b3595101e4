import assert from 'node:assert/strict';
import { MEDIA_TYPES } from '../../src/oci/index.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage, digestOf } from '../support/image.ts';
import { createPusher, type Pusher } from '../support/pusher.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const PASSWORD = 'correct-horse-battery-9';
const EMPTY = new TextEncoder().encode('{}');

const POLICY = `policies:
  - name: default
    match: ["**"]
    mode: enforce
    hold: 20s
    rules: { scanned: { by: [inspector], within: 7d }, secrets: block, malware: block }
`;

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
    assert.equal(pushed.status, 201);
    // Nothing was inspected, though the content store has the bytes: whether it has them is not told either.
    const pulled = await asMallory('/v2/own/app/manifests/1');
    assert.equal(pulled.status, 403);
    assert.match(pulled.text, /by rule scanned.*is not in the registry/);
    const isRefused = async () => {
      for (const method of ['GET', 'HEAD']) {
        const answer = await asMallory(`/v2/own/app/blobs/${layer.digest}`, { method });
        assert(answer.status >= 400, `${method}: ${answer.status}`);
        assert(!answer.text.includes('of the owner'));
      }
      const mount = `/v2/own/other/blobs/uploads/?mount=${layer.digest}&from=own/app`;
      assert.equal((await asMallory(mount, { method: 'POST' })).status, 202);
    };
    await isRefused();
    await server.run(['policy', 'apply', '-f', '-'], POLICY.replace('enforce', 'warn'));
    assert.equal((await asMallory('/v2/own/app/manifests/1')).status, 200);
    await isRefused();
    await server.run(['policy', 'apply', '-f', '-'], POLICY);
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

  it('V-18: gives such a layer only where it holds it itself', async () => {
    const bytes = new TextEncoder().encode('somewhere');
    const digest = digestOf(bytes);
    const manifest = naming({ digest, bytes });
    const manifestDigest = digestOf(new TextEncoder().encode(manifest));
    let isHeld = false;
    const upstream = await startRawUpstream(({ line }, socket) => {
      const isBlob = line.includes(`/blobs/${digest}`);
      if (line.startsWith('PUT')) socket.write('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n');
      else if (isBlob && isHeld) {
        const body = line.startsWith('GET') ? 'somewhere' : '';
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n${body}`);
      } else socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    });
    const server = await startDockgate({
      config: `upstreams:\n  - url: ${upstream.url}\n${POLICY.replace('enforce', 'warn')}`,
    });
    try {
      await server.addUser('mallory', PASSWORD, ['developer', 'own/**']);
      const basic = `mallory:${PASSWORD}`;
      const push = (repository: string) =>
        server.request(`/v2/${repository}/manifests/1`, {
          ...{ method: 'PUT', basic, body: manifest },
          headers: { 'content-type': MEDIA_TYPES.ociManifest },
        });
      const ask = async (repository: string) =>
        (await server.request(`/v2/${repository}/blobs/${digest}`, { basic })).status;
      assert.equal((await push('own/app')).status, 201);
      assert.equal((await push('own/app')).headers['docker-content-digest'], manifestDigest);
      assert.equal(await ask('own/app'), 404);
      isHeld = true;
      assert.equal((await push('own/holder')).status, 201);
      assert.equal(await ask('own/holder'), 200);
      // Now the content store has the bytes, and the first repository holds them as little as before.
      assert.equal(await ask('own/app'), 404);
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
