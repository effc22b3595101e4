import assert from 'node:assert/strict';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import type { Dockgate } from '../support/dockgate.ts';
import { asRegistry, startForSuite } from './gateway.ts';
import { failuresOf, namesOf, type Results, type Row, runSuite, skipWithoutSuite } from './suite.ts';

describe('the conformance suite on docker-registry behind the gateway', function () {
  this.timeout(240_000);

  let registry: DockerRegistry;
  let server: Dockgate;
  let straight: Results;
  let through: Results;
  before(async function () {
    skipWithoutSuite(this);
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
    for (const name of ['Blob post only', 'Blob upload cancel', 'Blob mount', 'Manifest put with subject']) {
      assert.equal(through.apis[name], 'Pass', name);
    }
  });
});

function countByName(rows: readonly Row[], status: Row['status']): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of namesOf(rows, status)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
