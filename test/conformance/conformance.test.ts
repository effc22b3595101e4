import assert from 'node:assert/strict';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { failuresOf, type Registry, type Results, type Row, runSuite, whyNoSuite } from './suite.ts';

const PASSWORD = 'correct-horse-battery-9';

/** The layers of the suite are no archives, so no scanner can read them: here policy only warns. */
const WARNS = `policies:
  - name: default
    match: ["conformance/**"]
    mode: warn
    hold: 20s
    rules:
      scanned: { by: [inspector], within: 7d }
`;

/** A gateway whose account may do everything that the suite does. */
async function startForSuite(upstream?: DockerRegistry): Promise<Dockgate> {
  const behind = upstream ? `upstreams:\n  - url: ${upstream.url}\n` : '';
  const server = await startDockgate({ config: `${WARNS}${behind}` });
  await server.addUser('conformance', PASSWORD, ['maintainer', 'conformance/**']);
  return server;
}

function asRegistry(server: Dockgate): Registry {
  const account = { username: 'conformance', password: PASSWORD };
  return { host: server.host, caPath: server.caPath, account };
}

/** What the registry is asked for, by the specification's four categories. */
const CATEGORIES: Readonly<Record<string, readonly string[]>> = {
  pull: [
    ...['Ping', 'Blob get', 'Blob get range', 'Blob head'],
    ...['Manifest get by digest', 'Manifest get by tag', 'Manifest head by digest', 'Manifest head by tag'],
  ],
  push: [
    ...['Blob push', 'Blob post only', 'Blob post put', 'Blob chunked', 'Blob streaming', 'Blob mount'],
    ...[
      'Blob upload cancel',
      'Manifest put by digest',
      'Manifest put by tag',
      'Manifest put with tag params',
    ],
    'Manifest put with subject',
  ],
  'content discovery': ['Tag listing', 'Referrers'],
  'content management': [
    ...['Tag delete', 'Tag delete atomic', 'Blob delete', 'Blob delete atomic'],
    ...['Manifest delete', 'Manifest delete atomic'],
  ],
};

describe('conformance to the distribution specification', function () {
  this.timeout(240_000);

  before(function () {
    const reason = whyNoSuite();
    if (reason === undefined) return;
    console.log(`  SKIPPED: the conformance suite. ${reason}`);
    this.skip();
  });

  describe('of the embedded registry', () => {
    let server: Dockgate;
    let results: Results;
    before(async () => {
      server = await startForSuite();
      results = await runSuite('embedded', asRegistry(server));
    });
    after(() => server?.remove());

    for (const [category, names] of Object.entries(CATEGORIES)) {
      it(`is whole in ${category}`, () => {
        const isOf = Object.fromEntries(names.map((name) => [name, results.apis[name]]));
        assert.deepEqual(isOf, Object.fromEntries(names.map((name) => [name, 'Pass'])));
      });
    }

    it('is whole with every kind of data', () => {
      assert.deepEqual(failuresOf(results.rows), []);
      assert(results.rows.length > 700, `only ${results.rows.length} rows: the suite has changed`);
      const { 'Sparse Manifests': _, ...data } = results.data;
      assert.deepEqual(
        Object.entries(data).filter(([, status]) => status !== 'Pass'),
        [],
      );
    });

    it('leaves out nothing but the mount without a source, which would tell what other repositories hold', () => {
      assert.deepEqual(namesOf(results.rows, 'skipped'), [
        'sha256 blobs/mount anonymous/blob-mount-anonymous',
        'sha512 blobs/mount anonymous/blob-mount-anonymous',
      ]);
    });
  });

  describe('of docker-registry behind the gateway', () => {
    let registry: DockerRegistry;
    let server: Dockgate;
    let straight: Results;
    let through: Results;
    before(async () => {
      registry = await startDockerRegistry();
      straight = await runSuite('docker-registry', { host: new URL(registry.url).host });
      // With the same content twice, uploads would find there what the first run left.
      await registry.stop();
      registry = await startDockerRegistry();
      server = await startForSuite(registry);
      through = await runSuite('through-to-docker-registry', asRegistry(server));
    });
    after(async () => {
      await server?.remove();
      await registry?.stop();
    });

    it('fails nowhere that the registry passes when it is asked straight', () => {
      const before = countByName(straight.rows, 'failure');
      const worse = [...countByName(through.rows, 'failure')]
        .filter(([name, count]) => count > (before.get(name) ?? 0))
        .map(([name, count]) => `${name}: ${count} failures, ${before.get(name) ?? 0} straight`);
      assert.deepEqual(worse, [], failuresOf(through.rows).join('\n'));
    });

    it('passes every row of the referrers API, which the registry lacks', () => {
      assert.equal(straight.apis.Referrers, 'FAIL');
      assert.equal(through.apis.Referrers, 'Pass');
      assert.equal(through.apis['Manifest put with subject'], 'Pass');
      const rows = through.rows.filter(({ name }) => name.endsWith('/referrers'));
      assert.equal(rows.length, 4);
      assert.deepEqual(failuresOf(rows), []);
    });

    it('passes what the registry cannot do and the gateway does for it', () => {
      for (const name of [
        'Blob post only',
        'Blob upload cancel',
        'Blob mount',
        'Manifest put with subject',
      ]) {
        assert.equal(through.apis[name], 'Pass', name);
      }
    });
  });
});

function namesOf(rows: readonly Row[], status: Row['status']): readonly string[] {
  return rows.filter((row) => row.status === status).map(({ name }) => name);
}

function countByName(rows: readonly Row[], status: Row['status']): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of namesOf(rows, status)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
