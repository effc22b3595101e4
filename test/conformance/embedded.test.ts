import assert from 'node:assert/strict';
import type { Dockgate } from '../support/dockgate.ts';
import { asRegistry, startForSuite } from './gateway.ts';
import { failuresOf, namesOf, type Results, runSuite, skipWithoutSuite } from './suite.ts';

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

describe('the conformance suite on the embedded registry', function () {
  this.timeout(240_000);

  let server: Dockgate;
  let results: Results;
  before(async function () {
    skipWithoutSuite(this);
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
