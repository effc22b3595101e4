import assert from 'node:assert/strict';
import { type Dockgate, startDockgate } from '../../support/dockgate.ts';
import { type BuiltImage, buildImage } from '../../support/image.ts';
import { createPusher } from '../../support/pusher.ts';
import { type ScanRequest, startScannerAdapter } from '../../support/scanner-adapter.ts';
import { until } from '../../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';
const POLICY = {
  name: 'default',
  match: ['**'],
  mode: 'enforce',
  hold: '60s',
  rules: { scanned: { by: ['far'], within: '7d' }, vulnerabilities: { block: 'critical' } },
};

describe('a scanner that pulls through the gateway', function () {
  this.timeout(180_000);
  let server: Dockgate;
  let adapter: Awaited<ReturnType<typeof startScannerAdapter>>;
  let image: BuiltImage;
  let other: BuiltImage;
  /** What the adapter did with its credential, by what it tried. */
  const tried = new Map<string, number>();

  async function tryAll({ registry, artifact }: ScanRequest): Promise<void> {
    const headers = { authorization: registry.authorization };
    const base = `/v2/${artifact.repository}`;
    const put = {
      method: 'PUT',
      headers: { ...headers, 'content-type': image.mediaType },
      body: image.manifest,
    };
    const tries: readonly [string, Parameters<Dockgate['request']>][] = [
      ['base', ['/v2/', { headers }]],
      ['manifest', [`${base}/manifests/${artifact.digest}`, { headers }]],
      ['config', [`${base}/blobs/${image.config.digest}`, { headers }]],
      ['layer', [`${base}/blobs/${image.layers[0]?.digest}`, { headers }]],
      ['other manifest', [`${base}/manifests/${other.digest}`, { headers }]],
      ['other manifest by tag', [`${base}/manifests/other`, { headers }]],
      ['other layer', [`${base}/blobs/${other.layers[0]?.digest}`, { headers }]],
      ['other repository', [`/v2/team/web/manifests/${image.digest}`, { headers }]],
      ['tags', [`${base}/tags/list`, { headers }]],
      ['referrers', [`${base}/referrers/${artifact.digest}`, { headers }]],
      ['push', [`${base}/manifests/mine`, put]],
      ['upload', [`${base}/blobs/uploads/`, { method: 'POST', headers }]],
      ['delete', [`${base}/manifests/${artifact.digest}`, { method: 'DELETE', headers }]],
      ['verdict', [`/api/v1/image?repository=${artifact.repository}&reference=1`, { headers }]],
    ];
    for (const [what, [path, options]] of tries)
      tried.set(what, (await server.request(path, options)).status);
  }

  before(async () => {
    image = await buildImage({ config: { user: 'app' } });
    other = await buildImage({ layers: [[{ path: 'other', data: 'other' }]] });
    let isTried = false;
    adapter = await startScannerAdapter({
      async accept(request) {
        if (!isTried && request.artifact.digest === image.digest) {
          isTried = true;
          await tryAll(request);
        }
        const type = 'application/vnd.scanner.adapter.scan.response+json; version=1.0';
        return { status: 202, type, body: { id: 'scan 1/ü' } };
      },
    });
    const scanners = { adapters: [{ name: 'far', url: adapter.url, robot: 'scanner' }] };
    server = await startDockgate({ config: JSON.stringify({ scanners, policies: [POLICY] }) });
    await server.addUser('dev', PASSWORD, ['developer', 'team/**']);
    await server.run(['robot', 'add', 'scanner']);
    await server.run(['grant', 'add', '--role', 'maintainer', '--on', '**', '--robot', 'scanner']);
    const pusher = createPusher(server, `dev:${PASSWORD}`);
    await pusher.push('team/app', other, 'other');
    await pusher.push('team/app', image, '1');
    await pusher.push('team/web', image, '1');
  });
  after(async () => {
    await server.remove();
    await adapter.stop();
  });

  it('gets the image before it is admitted, and its word is what the pull waits for', async () => {
    const pulled = await server.request('/v2/team/app/manifests/1', { basic: `dev:${PASSWORD}` });
    assert.equal(pulled.status, 200, pulled.text);
    assert.deepEqual(adapter.problems, []);
    for (const what of ['base', 'manifest', 'config', 'layer']) assert.equal(tried.get(what), 200, what);
    const shown = JSON.parse(await server.run(['image', 'show', 'team/app:1', '--json']));
    assert.equal(shown.findings[0].id, 'CVE-2026-500');
  });

  it('may do nothing else by its credential, whatever its robot may', async () => {
    await until(() => tried.size === 14, 'the adapter has tried all');
    const others = [...tried].filter(([what]) => !['base', 'manifest', 'config', 'layer'].includes(what));
    assert.deepEqual(Object.fromEntries(others), {
      'other manifest': 404,
      'other manifest by tag': 404,
      'other layer': 404,
      'other repository': 401,
      tags: 401,
      referrers: 401,
      push: 401,
      upload: 401,
      delete: 401,
      verdict: 401,
    });
  });

  it('is in the access log with what it read, and why', async () => {
    const search = async () =>
      JSON.parse(await server.run(['audit', 'search', '--user', 'scanner', '--action', 'pull', '--json']));
    await until(async () => (await search()).records.length >= 6, 'the records are searchable');
    const read = (await search()).records
      .map(({ record }: { record: Record<string, unknown> }) => record)
      .filter(({ outcome }: Record<string, unknown>) => outcome === 'allowed');
    const references = new Set(read.map(({ reference }: Record<string, unknown>) => reference));
    assert.deepEqual(references, new Set([image.digest, image.config.digest, image.layers[0]?.digest]));
    assert.ok(read.every(({ reason }: Record<string, unknown>) => reason === 'scan.read'));
  });
});
