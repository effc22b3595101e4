import assert from 'node:assert/strict';
import type { DockerRegistry } from '../support/docker-registry.ts';
import type { Dockgate } from '../support/dockgate.ts';
import { asRegistry, startForSuite } from './gateway.ts';
import { failuresOf, namesOf, type Results, type Row, runSuite, skipWithoutSuite } from './suite.ts';

export interface Peer {
  /** Names the folder of the results. */
  readonly name: string;
  /** Starts it with nothing in it. */
  start(): Promise<DockerRegistry>;
  skipWithout?(hook: { skip(): void }): void;
  /** Whether it serves the referrers API itself. */
  readonly hasReferrers: boolean;
  /** What passes through the gateway, though not straight. */
  readonly mended: readonly string[];
  /** Whether it runs a third time, under the policies of a fresh installation. */
  readonly runsUnderShippedPolicy: boolean;
}

/** What the suite says of the two refusals, with the answer's body or, of a HEAD, by its status. */
const IS_WITHHELD = /BLOB_UNKNOWN|IMAGE_BLOCKED|received 40[34]\b/;

/** The suite straight on a registry, then through the gateway in front of it, row by row. */
export function itConformsBehindTheGateway(peer: Peer): void {
  let straight: Results;
  let through: Results;
  before(async function () {
    skipWithoutSuite(this);
    peer.skipWithout?.(this);
    straight = await withPeer(({ url }) => runSuite(peer.name, { host: new URL(url).host }));
    // With the same content twice, uploads would find there what the first run left.
    through = await withGateway('warn', `through-to-${peer.name}`);
  });

  async function withPeer<T>(use: (registry: DockerRegistry) => Promise<T>): Promise<T> {
    const registry = await peer.start();
    try {
      return await use(registry);
    } finally {
      await registry.stop();
    }
  }

  function withGateway(policy: 'warn' | 'shipped', title: string): Promise<Results> {
    return withPeer(async (registry) => {
      const server: Dockgate = await startForSuite(registry, policy);
      try {
        return await runSuite(title, asRegistry(server));
      } finally {
        await server.remove();
      }
    });
  }

  it('fails nowhere that the registry passes when it is asked straight', () => {
    assert.deepEqual(worseThan(straight, through), [], failuresOf(through.rows).join('\n'));
  });

  it('passes every row of the referrers API', () => {
    assert.equal(straight.apis.Referrers, peer.hasReferrers ? 'Pass' : 'FAIL');
    assert.equal(through.apis.Referrers, 'Pass');
    assert.equal(through.apis['Manifest put with subject'], 'Pass');
    const rows = through.rows.filter(({ name }) => name.endsWith('/referrers'));
    assert.equal(rows.length, 4);
    assert.deepEqual(failuresOf(rows), []);
  });

  it('passes what the registry cannot do and the gateway does for it', () => {
    for (const name of peer.mended) {
      assert.notEqual(straight.apis[name], 'Pass', name);
      assert.equal(through.apis[name], 'Pass', name);
    }
  });

  if (peer.runsUnderShippedPolicy) {
    it('withholds under the shipped policy what nothing can judge, and nothing else', async () => {
      const shipped = await withGateway('shipped', `shipped-policy-to-${peer.name}`);
      const failed = new Set(namesOf(through.rows, 'failure'));
      const withheld = shipped.rows.filter(({ name, status }) => status === 'failure' && !failed.has(name));
      assert.ok(withheld.length > 0);
      const others = withheld.filter(({ output }) => !IS_WITHHELD.test(output));
      assert.deepEqual(failuresOf(others), []);
      console.log(`        ${namesOf(shipped.rows, 'passed').length} rows pass, ${withheld.length} withheld`);
    });
  }
}

function worseThan(straight: Results, through: Results): readonly string[] {
  const before = countByName(straight.rows, 'failure');
  return [...countByName(through.rows, 'failure')]
    .filter(([name, count]) => count > (before.get(name) ?? 0))
    .map(([name, count]) => `${name}: ${count} failures, ${before.get(name) ?? 0} straight`);
}

function countByName(rows: readonly Row[], status: Row['status']): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of namesOf(rows, status)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
