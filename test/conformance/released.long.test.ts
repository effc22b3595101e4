import assert from 'node:assert/strict';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { goProgram, skipWithoutGoProgram } from '../support/go-program.ts';
import { asRegistry, startForSuite } from './gateway.ts';
import { type ReleasedResults, runReleasedSuite, skipWithoutReleasedSuite } from './released-suite.ts';
import { skipWithoutZot, startZot } from './zot.ts';

/**
 * Of its 79 specs: two are for tags of somebody else's, two for a registry that mounts without being told from where, and
 * one is for a registry that does not mount.
 */
const LEFT_OUT = 5;

interface Peer {
  start(): Promise<DockerRegistry>;
  skipWithout?(hook: { skip(): void }): void;
  /** Specs that fail through the gateway; each must fail straight as well. */
  readonly failedThrough: number;
}

const PEERS: Readonly<Record<string, Peer>> = {
  'docker-registry 2.8': { start: startDockerRegistry, failedThrough: 2 },
  'distribution 3': {
    start: () => startDockerRegistry({ program: goProgram('distribution') }),
    skipWithout: (hook) => skipWithoutGoProgram(hook, 'distribution'),
    failedThrough: 0,
  },
  zot: { start: startZot, skipWithout: skipWithoutZot, failedThrough: 0 },
};

describe('the released conformance suite 1.1.1', function () {
  this.timeout(600_000);
  before(function () {
    skipWithoutReleasedSuite(this);
  });

  it('is passed whole by the embedded registry', async () => {
    const results = await through(undefined);
    assert.deepEqual(results.failed, []);
    assert.equal(results.passed, 79 - LEFT_OUT);
    assert.equal(results.skipped.length, LEFT_OUT);
  });

  for (const [name, peer] of Object.entries(PEERS)) {
    it(`fails nowhere in front of ${name} that passes when it is asked straight`, async function () {
      peer.skipWithout?.(this);
      const straight = await withPeer(peer, ({ url }) => runReleasedSuite({ host: new URL(url).host }));
      const behind = await withPeer(peer, through);
      console.log(`        straight ${told(straight)}; through the gateway ${told(behind)}`);
      assert.equal(behind.failed.length, peer.failedThrough, behind.failed.join('\n'));
      assert.deepEqual(
        behind.failed.filter((spec) => !straight.failed.includes(spec)),
        [],
      );
      assert.equal(behind.skipped.length, LEFT_OUT);
    });
  }
});

function told({ passed, failed, skipped }: ReleasedResults): string {
  return `${passed} pass, ${failed.length} fail, ${skipped.length} left out`;
}

/** @param registry absent: the embedded one. */
async function through(registry: DockerRegistry | undefined): Promise<ReleasedResults> {
  const server = await startForSuite(registry);
  try {
    return await runReleasedSuite(asRegistry(server));
  } finally {
    await server.remove();
  }
}

async function withPeer<T>({ start }: Peer, use: (registry: DockerRegistry) => Promise<T>): Promise<T> {
  const registry = await start();
  try {
    return await use(registry);
  } finally {
    await registry.stop();
  }
}
