import assert from 'node:assert/strict';
import type { NewManifestLink, Source } from '../../src/content/index.ts';
import { createSources } from '../../src/gateway/index.ts';
import { type Digest, Fault, parseDigest } from '../../src/oci/index.ts';
import { type GatewayBench, startGatewayBench } from './bench.ts';

const AWAY = new Fault('DG_UPSTREAM_UNAVAILABLE', 'UNAVAILABLE', 'the registry does not answer');
const PATH = '/v2/team/app/manifests/1';

interface World {
  readonly bench: GatewayBench;
  /** What the registry says of the tag, one after the other; then the last for good. */
  readonly answers: (Digest | undefined | Error)[];
  /** What is remembered of it. */
  readonly tags: Map<string, Digest>;
  readonly asked: () => number;
  /** How its next push ends. */
  push: () => Promise<undefined>;
}

async function withRegistry(run: (world: World) => Promise<void>): Promise<void> {
  const tags = new Map<string, Digest>();
  const answers: World['answers'] = [];
  let asked = 0;
  const source: Partial<Source> = {
    kind: 'upstream',
    async resolve() {
      asked += 1;
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer instanceof Error) throw answer;
      return answer;
    },
    pushManifest: () => world.push(),
  };
  const bench = await startGatewayBench({
    sources: createSources([{ prefix: '', source: source as Source, isExclusive: true }]),
    content: { put: async () => undefined },
    links: { findTag: async (_repository, tag) => tags.get(tag) },
    linkWrites: {
      linkManifest: async (link: NewManifestLink) => {
        for (const tag of link.tags) {
          if (link.tagRights.mayOverwrite || !tags.has(tag)) tags.set(tag, link.digest);
        }
        return { ok: true };
      },
      removeTag: async (_repository, tag) => tags.delete(tag),
    },
  });
  const world: World = { bench, answers, tags, asked: () => asked, push: async () => undefined };
  try {
    await run(world);
  } finally {
    await bench.close();
  }
}

const OTHER = parseDigest(`sha256:${'c'.repeat(64)}`);

describe('a tag of a registry that only dockgate writes to', () => {
  it('is asked for, asked again when it is remembered, and then never', async () => {
    await withRegistry(async ({ bench, answers, tags, asked }) => {
      answers.push(bench.image.digest);
      assert.equal((await bench.ask('GET', PATH)).status, 200);
      assert.equal(tags.get('1'), bench.image.digest);
      assert.equal(asked(), 2);
      answers[0] = AWAY;
      assert.equal((await bench.ask('GET', PATH)).status, 200);
      assert.equal(asked(), 2);
    });
  });

  it('is not remembered when it was moved or deleted meanwhile, or that cannot be known', async () => {
    for (const after of [OTHER, undefined, AWAY]) {
      await withRegistry(async ({ bench, answers, tags }) => {
        answers.push(bench.image.digest, after);
        assert.equal((await bench.ask('GET', PATH)).status, 200);
        assert.equal(tags.size, 0);
      });
    }
  });

  const pushed = (bench: GatewayBench) =>
    bench.ask('PUT', PATH, {
      headers: { 'content-type': bench.image.mediaType },
      body: bench.image.manifest,
    });

  it('is what was pushed, without a question', async () => {
    await withRegistry(async ({ bench, answers, tags }) => {
      answers.push(undefined);
      assert.equal((await pushed(bench)).status, 201);
      assert.equal(tags.get('1'), bench.image.digest);
    });
  });

  it('is asked for again when nobody knows how a push ended, also when a pull came between', async () => {
    await withRegistry(async (world) => {
      const { bench, answers, tags } = world;
      assert.ok(OTHER);
      answers.push(OTHER);
      tags.set('1', OTHER);
      world.push = async () => {
        assert.equal(tags.size, 0, 'forgotten before the push');
        tags.set('1', OTHER);
        throw AWAY;
      };
      assert.equal((await pushed(bench)).status, 503);
      assert.equal(tags.size, 0);
    });
  });
});
