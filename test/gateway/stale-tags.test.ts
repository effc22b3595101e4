import assert from 'node:assert/strict';
import type { NewManifestLink, Source } from '../../src/content/index.ts';
import { createSources } from '../../src/gateway/index.ts';
import { type Digest, Fault } from '../../src/oci/index.ts';
import { type GatewayBench, startGatewayBench } from './bench.ts';

const awayWith = (code: `DG_${string}`) =>
  new Fault(code, 'UNAVAILABLE', 'the registry behind this gateway does not answer, try again');

/** A registry that is there or not, and the tags that the store remembers. */
async function withRegistry(
  servesStaleTags: boolean,
  run: (world: {
    readonly bench: GatewayBench;
    readonly registry: { digest: Digest | undefined; fault: Fault | undefined };
    readonly tags: Map<string, Digest>;
  }) => Promise<void>,
): Promise<void> {
  const tags = new Map<string, Digest>();
  const registry: { digest: Digest | undefined; fault: Fault | undefined } = {
    digest: undefined,
    fault: undefined,
  };
  const source: Partial<Source> = {
    kind: 'upstream',
    async resolve() {
      if (registry.fault) throw registry.fault;
      return registry.digest;
    },
  };
  const bench = await startGatewayBench({
    sources: createSources([{ prefix: '', source: source as Source, servesStaleTags }]),
    links: { findTag: async (_repository, tag) => tags.get(tag) },
    linkWrites: {
      linkManifest: async (link: NewManifestLink) => {
        for (const tag of link.tags) tags.set(tag, link.digest);
        return { ok: true };
      },
      removeTag: async (_repository, tag) => tags.delete(tag),
    },
  });
  registry.digest = bench.image.digest;
  try {
    await run({ bench, registry, tags });
  } finally {
    await bench.close();
  }
}

const PATH = '/v2/team/app/manifests/1';

describe('a tag whose registry is away', () => {
  it('is what it was when it was last pulled, with a warning and a note in the record, where that was chosen (F-31)', async () => {
    await withRegistry(true, async ({ bench, registry }) => {
      assert.equal((await bench.ask('GET', PATH)).headers.warning, undefined);
      registry.fault = awayWith('DG_UPSTREAM_UNAVAILABLE');
      const answer = await bench.ask('GET', PATH);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['docker-content-digest'], bench.image.digest);
      assert.match(
        String(answer.headers.warning),
        /^299 - "dockgate: the registry behind this gateway is away/,
      );
      assert.equal(bench.records.at(-1)?.note, 'stale tag: its registry is away');
    });
  });

  it('is refused where nobody pulled it before, and where that was not chosen', async () => {
    for (const isChosen of [true, false]) {
      await withRegistry(isChosen, async ({ bench, registry, tags }) => {
        if (!isChosen) tags.set('1', bench.image.digest);
        registry.fault = awayWith('DG_UPSTREAM_UNAVAILABLE');
        assert.equal((await bench.ask('GET', PATH)).status, 503);
      });
    }
  });

  it('is not one of a registry that answers wrongly or does not let us in', async () => {
    await withRegistry(true, async ({ bench, registry }) => {
      await bench.ask('GET', PATH);
      for (const code of ['DG_UPSTREAM_PROTOCOL', 'DG_UPSTREAM_SIGN_IN'] as const) {
        registry.fault = awayWith(code);
        assert.equal((await bench.ask('GET', PATH)).status, 503);
      }
    });
  });

  it('is forgotten once the registry does not know it any more', async () => {
    await withRegistry(true, async ({ bench, registry, tags }) => {
      await bench.ask('GET', PATH);
      registry.digest = undefined;
      assert.equal((await bench.ask('GET', PATH)).status, 404);
      assert.equal(tags.size, 0);
      registry.fault = awayWith('DG_UPSTREAM_UNAVAILABLE');
      assert.equal((await bench.ask('GET', PATH)).status, 503);
    });
  });

  it('is remembered only where that was chosen', async () => {
    await withRegistry(false, async ({ bench, tags }) => {
      assert.equal((await bench.ask('GET', PATH)).status, 200);
      assert.equal(tags.size, 0);
    });
  });
});
