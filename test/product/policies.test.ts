import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kevOf } from '../feeds/documents.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage, buildIndex } from '../support/image.ts';
import { createPusher, type Pusher } from '../support/pusher.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';
const POLICY = `policies:
  - name: release
    match: ["prod/**"]
    rules: { scanned: { by: [inspector], within: 7d }, superseded: { max: 100d } }
    push:
      immutableTags: ["v*"]
      size: { layers: 2 }
  - name: exploited
    match: ["kev/**"]
    rules: { vulnerabilities: { exploited: block } }
`;
/** A file that is put there later. */
const CONFIG = 'feeds: { kev: kev.json }\n';

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
    server = await startDockgate({ config: CONFIG });
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

  it('what a policy would refuse of what was pulled is known before it is applied', async () => {
    const trial = `policies: [{ name: graded, match: ["prod/**"], rules: { scanned: { by: [ci-grype], within: 7d } } }]`;
    const tried = async (...more: readonly string[]) => server.run(['policy', 'try', '-', ...more], trial);
    // The search index follows the log.
    await until(async () => /^blocked /m.test(await tried('--since', '1h')), 'the pull in the index');
    const text = await tried();
    assert.match(text, /: 1 images would be refused, 0 would first be scanned, 0 would be let through/);
    assert.match(
      text,
      /^blocked +prod\/app@sha256:\w{12} +v1 +\d+ +user alice +graded, scanned: no result of ci-grype/m,
    );
    const [row] = JSON.parse(await tried('--json')).changed;
    assert.deepEqual([row.repository, row.principals[0].name], ['prod/app', 'user alice']);
    assert.match(await server.run(['policy', 'try', '--without', 'release']), /: 0 images would be refused/);
    assert.doesNotMatch(await server.run(['policy', 'list']), /graded/);
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

  it('an image is refused as soon as the catalog lists a vulnerability of it, scanned long before', async () => {
    const image = await imageOf('exploited');
    await pusher.push('kev/app', image, '1');
    const report = {
      ...{ SchemaVersion: 2, Trivy: { Version: '1' }, CreatedAt: new Date().toISOString() },
      ...{ ArtifactType: 'container_image', Metadata: { OS: { Family: 'debian', Name: '13' } } },
      Results: [
        {
          ...{ Target: 'app', Class: 'os-pkgs', Type: 'debian' },
          Packages: [{ Name: 'openssl', Version: '1' }],
          Vulnerabilities: [
            { VulnerabilityID: 'CVE-2026-7777', PkgName: 'openssl', InstalledVersion: '1', Severity: 'LOW' },
          ],
        },
      ],
    };
    const about = { ...report, Metadata: { ...report.Metadata, RepoDigests: [`kev/app@${image.digest}`] } };
    await server.run(['scan', 'push', 'kev/app:1', '-'], JSON.stringify(about));
    const pull = () => get('/v2/kev/app/manifests/1');
    const loadCatalog = (...cves: readonly string[]) => {
      writeFileSync(join(server.directory, 'kev.json'), kevOf(cves, new Date().toISOString()));
      return server.run(['policy', 'feeds', '--refresh']);
    };
    assert.match(
      await server.run(['policy', 'feeds']),
      /kev +not loaded +0 .*kev\.json cannot be read: ENOENT/,
    );
    assert.match(
      await pull(),
      /IMAGE_BLOCKED.*rule vulnerabilities of policy exploited: there is no KEV catalog/,
    );
    assert.match(await loadCatalog('CVE-2026-9999'), /kev +20.* 1 .*kev\.json$/m);
    assert.equal(await pull(), Buffer.from(image.manifest).toString());
    await loadCatalog('CVE-2026-9999', 'CVE-2026-7777');
    assert.match(await pull(), /IMAGE_BLOCKED.*CVE-2026-7777 \(in KEV since 2026-05-20\)/);
    // Processes report now and then.
    await until(async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${server.opsPort}/metrics`)).text();
      return (
        /^dockgate_feeds_failing 0$/m.test(metrics) && /^dockgate_feed_kev_age_seconds \d/m.test(metrics)
      );
    }, 'the age of the catalog in metrics');
  });
});
