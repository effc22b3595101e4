import assert from 'node:assert/strict';
import { createManualClock } from '../../src/base/index.ts';
import type { NewManifestLink, Source } from '../../src/content/index.ts';
import type { ImportParts } from '../../src/gateway/import-images.ts';
import { createSources, importTags, listUpstreamRepositories } from '../../src/gateway/index.ts';
import { type Digest, Fault, type Repository, type Tag } from '../../src/oci/index.ts';
import { repositoryOf, tagOf } from '../contracts/source-bench.ts';
import { type BuiltImage, type BuiltIndex, buildImage, buildIndex } from '../support/image.ts';

const APP = repositoryOf('team/app');
const away = (status: number, retryAfter: string) =>
  new Fault('DG_UPSTREAM_UNAVAILABLE', 'UNAVAILABLE', 'the registry is busy', undefined, {
    status,
    headers: { 'Retry-After': retryAfter },
  });

/** A registry of tags and manifests, and a store that remembers what is linked. */
function openWorld() {
  const tags = new Map<Tag, Digest>();
  const held = new Map<Digest, BuiltImage | BuiltIndex>();
  const faults = new Map<string, Error>();
  const linked = new Map<Digest, NewManifestLink>();
  const contents = new Map<Digest, Uint8Array>();
  const scans: [Digest, string][] = [];
  const fail = (what: string) => {
    const fault = faults.get(what);
    if (fault) throw fault;
  };
  const source: Partial<Source> = {
    kind: 'upstream',
    async listTags(_repository, { last, limit }) {
      fail('tags');
      if (tags.size === 0) return undefined;
      const sorted = [...tags.keys()].sort();
      return sorted.filter((tag) => last === undefined || tag > last).slice(0, limit);
    },
    async resolve(_repository, tag) {
      fail(tag);
      return tags.get(tag);
    },
    async readManifest(_repository, digest) {
      fail(digest);
      const found = held.get(digest);
      return found && { mediaType: found.mediaType, bytes: found.manifest };
    },
    listRepositories: async ({ last }) => (last === undefined ? [APP, repositoryOf('base')] : []),
  };
  const sources = createSources([
    { prefix: '', source: source as Source },
    { prefix: 'own/', source: { kind: 'origin' } as Source },
  ]);
  const parts = {
    sources,
    clock: createManualClock(),
    links: {
      findManifest: async (_repository: Repository, digest: Digest) => {
        const link = linked.get(digest);
        return link && { digest, ...link.manifest, size: link.size };
      },
      childrenOf: async (digest: Digest) => linked.get(digest)?.manifest.manifests ?? [],
    },
    linkWrites: {
      linkManifest: async (link: NewManifestLink) => {
        linked.set(link.digest, link);
        return { ok: true };
      },
    },
    content: {
      read: async (digest: Digest) => contents.get(digest),
      put: async (digest: Digest, bytes: Uint8Array) => void contents.set(digest, bytes),
    },
    facts: {
      seeDigest: async () => {},
      findFacts: async (digest: Digest) =>
        scans.some(([scanned]) => scanned === digest) ? { scans: [{}] } : undefined,
    },
    scans: {
      request: async (_repository: Repository, digest: Digest, priority: string) =>
        void scans.push([digest, priority]),
    },
  } as unknown as ImportParts;
  const hold = (built: BuiltImage | BuiltIndex, tag?: string) => {
    held.set(built.digest, built);
    if (tag !== undefined) tags.set(tagOf(tag), built.digest);
  };
  const run = (after?: string, isOver = () => false) =>
    importTags({ repository: APP, isOver, ...(after ? { after: tagOf(after) } : {}) }, parts);
  return { tags, held, faults, linked, scans, sources, parts, hold, run };
}

describe('an import of tags', () => {
  let image: BuiltImage;
  let other: BuiltImage;
  before(async () => {
    image = await buildImage();
    other = await buildImage({ config: { user: '1000' } });
  });

  it('asks for scans of images behind all others, and only of what was never scanned', async () => {
    const world = openWorld();
    world.hold(image);
    world.hold(other);
    world.hold(buildIndex([image, other]), '1');
    const first = await world.run();
    assert.deepEqual(first, { tags: 1, added: 3, known: 0, failures: [] });
    assert.deepEqual(world.scans, [
      [image.digest, 'rescan'],
      [other.digest, 'rescan'],
    ]);
    assert.deepEqual(await world.run(), { tags: 1, added: 0, known: 3, failures: [] });
    assert.equal(world.scans.length, 2);
  });

  it('reads what is left of an index where it broke off before', async () => {
    const world = openWorld();
    const index = buildIndex([image, other]);
    world.hold(index, '1');
    world.hold(image);
    assert.deepEqual(await world.run(), { tags: 1, added: 2, known: 0, failures: [] });
    world.hold(other);
    assert.deepEqual(await world.run(), { tags: 1, added: 1, known: 2, failures: [] });
  });

  it('stops where the registry asks for patience or does not answer, and says when and where to go on', async () => {
    const world = openWorld();
    for (const tag of ['1', '2', '3', '4', '5']) world.hold(image, tag);
    world.faults.set('5', away(429, '30'));
    const asked = await world.run();
    assert.equal(asked?.next, '3');
    assert.deepEqual(asked?.pause, { seconds: 30, problem: 'the registry is busy', isAsked: true });
    world.faults.set('5', away(503, 'soon'));
    assert.deepEqual((await world.run('3'))?.pause, {
      ...{ seconds: 5, problem: 'the registry is busy', isAsked: false },
    });
    world.faults.clear();
    assert.deepEqual(await world.run('3'), { tags: 2, added: 0, known: 2, failures: [] });
    world.faults.set('tags', away(503, '7'));
    assert.deepEqual(await world.run(), {
      ...{ tags: 0, added: 0, known: 0, failures: [] },
      pause: { seconds: 7, problem: 'the registry is busy', isAsked: false },
    });
  });

  it('names a tag that cannot be read, and goes on with the others', async () => {
    const world = openWorld();
    world.hold(image, 'good');
    world.hold({ ...other, manifest: new TextEncoder().encode('{"schemaVersion":1}') }, 'old');
    world.hold(image, 'wrong');
    world.tags.set(tagOf('gone'), `sha256:${'0'.repeat(64)}` as Digest);
    world.faults.set('wrong', new Fault('DG_UPSTREAM_PROTOCOL', 'UNAVAILABLE', 'malformed'));
    const imported = await world.run();
    assert.deepEqual([imported?.tags, imported?.added], [4, 1]);
    assert.deepEqual(
      imported?.failures.map(({ reference }) => reference),
      ['gone', 'old', 'wrong'],
    );
  });

  it('works for about as long as it may, one group of tags at least', async () => {
    const world = openWorld();
    for (const tag of ['1', '2', '3', '4', '5']) world.hold(image, tag);
    const first = await world.run(undefined, () => true);
    assert.deepEqual([first?.tags, first?.next], [3, '3']);
    const rest = await world.run('3', () => true);
    assert.deepEqual([rest?.tags, rest?.next], [2, undefined]);
  });

  it('is none of the embedded registry, and says so of a repository that is not there', async () => {
    const world = openWorld();
    const task = { repository: repositoryOf('own/app'), isOver: () => false };
    assert.equal(await importTags(task, world.parts), undefined);
    assert.equal((await world.run())?.failures[0]?.problem, 'the registry knows no such repository');
  });

  it('lists the repositories of upstreams below a prefix', async () => {
    const { sources } = openWorld();
    assert.deepEqual(await listUpstreamRepositories(sources, ''), ['base', 'team/app']);
    assert.deepEqual(await listUpstreamRepositories(sources, 'team/'), ['team/app']);
    assert.deepEqual(await listUpstreamRepositories(sources, 'own/'), []);
  });

  it('lets through what is no word of a registry', async () => {
    const world = openWorld();
    world.hold(image, '1');
    world.faults.set('1', new TypeError('a bug'));
    await assert.rejects(world.run(), TypeError);
  });
});
