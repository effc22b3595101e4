import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { NewManifestLink } from '../../src/content/index.ts';
import { type Digest, type Manifest, MEDIA_TYPES, type Repository } from '../../src/oci/index.ts';
import {
  descriptor,
  digestOf,
  image,
  index,
  type OpenStore,
  repository,
  tag,
  withStore,
} from './store-bench.ts';

const APP = repository('team/app');
const OTHER = repository('team/other');
const DAY_MS = 86_400_000;

/** What every implementation of LinkReads, LinkWrites and ManifestReads does. */
export function linksContract(implementation: string, open: OpenStore): void {
  describe(`links in ${implementation}`, () => {
    const bench = withStore(open);
    const links = () => bench().store.links;
    const manifests = () => bench().store.manifests;

    const upload = async (where: Repository, ...names: readonly string[]) => {
      for (const name of names) {
        await links().linkBlob({
          repository: where,
          digest: digestOf(name),
          size: name.length,
          owner: 'pending',
          untilMs: bench().clock.nowMs() + DAY_MS,
        });
      }
    };
    const push = (name: string, manifest: Manifest, overrides: Partial<NewManifestLink> = {}) =>
      links().linkManifest({
        repository: APP,
        digest: digestOf(name),
        size: 500,
        manifest,
        tags: [],
        tagRights: { mayCreate: true, mayOverwrite: true },
        requireContent: true,
        nowMs: bench().clock.nowMs(),
        ...overrides,
      });
    /** Uploads what the image needs and pushes it. */
    const pushWhole = async (
      name: string,
      layers: readonly string[],
      overrides: Partial<NewManifestLink> = {},
    ) => {
      await upload(overrides.repository ?? APP, ...layers, `${layers[0]}-config`);
      assert.deepEqual(await push(name, image(layers), overrides), { ok: true });
    };
    const ownerOf = async (name: string, where = APP) =>
      (await links().findBlob(where, digestOf(name)))?.owner;
    const all = { limit: 1000 };

    describe('a push to the origin', () => {
      it('links the manifest, its tags and what it names', async () => {
        const annotations = { 'org.opencontainers.image.title': 'x', ['__proto__']: 'odd but allowed' };
        await upload(APP, 'a', 'b', 'a-config');
        const result = await push('m', image(['a', 'b'], { annotations }), {
          tags: [tag('1.0'), tag('latest')],
          pushedBy: 'id-alice',
        });
        assert.deepEqual(result, { ok: true });
        assert.equal(await links().findTag(APP, tag('1.0')), digestOf('m'));
        assert.equal(await links().findTag(APP, tag('latest')), digestOf('m'));
        assert.deepEqual(await links().findManifest(APP, digestOf('m')), {
          digest: digestOf('m'),
          mediaType: MEDIA_TYPES.ociManifest,
          kind: 'image',
          size: 500,
          artifactType: MEDIA_TYPES.ociConfig,
          annotations,
          pushedBy: 'id-alice',
        });
        for (const name of ['a', 'b', 'a-config']) {
          assert.deepEqual(await links().findBlob(APP, digestOf(name)), {
            owner: 'origin',
            size: name.length,
          });
        }
      });

      it('is refused whole while a layer or the config is missing, and names the first that is', async () => {
        await upload(APP, 'a', 'a-config');
        const missing = await push('m', image(['a', 'b', 'c']), { tags: [tag('latest')] });
        assert.deepEqual(missing, { ok: false, missing: digestOf('b') });
        await upload(APP, 'b', 'c');
        await links().removeBlob(APP, digestOf('a-config'));
        assert.deepEqual(await push('m', image(['a', 'b', 'c'])), {
          ok: false,
          missing: digestOf('a-config'),
        });
        assert.equal(await links().findManifest(APP, digestOf('m')), undefined);
        assert.equal(await links().findTag(APP, tag('latest')), undefined);
        assert.equal(await ownerOf('a'), 'pending');
        assert.deepEqual(await manifests().manifestsNaming(APP, digestOf('a')), []);
      });

      it('does not count what another repository holds', async () => {
        await upload(OTHER, 'a', 'a-config');
        assert.deepEqual(await push('m', image(['a'])), { ok: false, missing: digestOf('a') });
      });

      it('does not rest on what is merely cached', async () => {
        await push('m', image(['a']), { requireContent: false });
        assert.equal(await ownerOf('a'), 'cached');
        assert.deepEqual(await push('m', image(['a'])), { ok: false, missing: digestOf('a') });
        await upload(APP, 'a', 'a-config');
        assert.deepEqual(await push('m', image(['a'])), { ok: true });
        assert.equal(await ownerOf('a'), 'origin');
      });

      it('V-18: may leave out layers that lie elsewhere, and owns them only when they come', async () => {
        const elsewhere = descriptor('base', { urls: ['https://example.com/base'] });
        const windows = image(['a'], { layers: [elsewhere, descriptor('a')] });
        await upload(APP, 'a', 'a-config');
        assert.deepEqual(await push('m', windows), { ok: true });
        assert.equal(await ownerOf('base'), undefined);
        await upload(APP, 'base');
        assert.equal(await ownerOf('base'), 'origin');
      });

      it('must have its config even where that says it lies elsewhere', async () => {
        const config = descriptor('a-config', { urls: ['https://example.com/config'] });
        await upload(APP, 'a');
        assert.deepEqual(await push('m', image(['a'], { config })), {
          ok: false,
          missing: digestOf('a-config'),
        });
      });

      it('owns a blob again that was deleted and came back', async () => {
        await pushWhole('m', ['a']);
        await links().removeBlob(APP, digestOf('a'));
        await upload(APP, 'a');
        assert.equal(await ownerOf('a'), 'origin');
      });

      it('takes an index only after its children', async () => {
        const child = descriptor('m', { mediaType: MEDIA_TYPES.ociManifest });
        assert.deepEqual(await push('i', index([child])), { ok: false, missing: digestOf('m') });
        await pushWhole('m', ['a'], { repository: OTHER });
        assert.deepEqual(await push('i', index([child])), { ok: false, missing: digestOf('m') });
        await pushWhole('m', ['a']);
        assert.deepEqual(await push('i', index([child])), { ok: true });
        assert.deepEqual(await links().childrenOf(digestOf('i')), [child]);
        assert.deepEqual(await links().indexesNaming(APP, digestOf('m'), 9), [digestOf('i')]);
        assert.deepEqual(await links().indexesNaming(OTHER, digestOf('m'), 9), []);
        assert.deepEqual(await manifests().findManifestShape(APP, digestOf('i')), {
          kind: 'index',
          children: [child],
        });
        assert.equal(await manifests().findManifestShape(OTHER, digestOf('i')), undefined);
      });

      it("keeps what an index names beside manifests (BuildKit's cache), but serves nothing by that name", async () => {
        const cache = index([
          descriptor('layer'),
          descriptor('cache', { mediaType: 'application/vnd.buildkit.cacheconfig.v0' }),
        ]);
        await upload(APP, 'layer');
        assert.deepEqual(await push('i', cache), { ok: false, missing: digestOf('cache') });
        await upload(APP, 'cache');
        assert.deepEqual(await push('i', cache), { ok: true });
        assert.equal(await ownerOf('layer'), 'origin');
        assert.deepEqual(await links().manifestsNaming(APP, digestOf('layer')), []);
        assert.equal(await links().removeManifest(APP, digestOf('i')), true);
        assert.equal(await ownerOf('layer'), undefined);
      });

      it('does not need its subject', async () => {
        await upload(APP, 'a', 'a-config');
        assert.deepEqual(await push('m', image(['a'], { subject: descriptor('absent') })), { ok: true });
        assert.equal((await links().findManifest(APP, digestOf('m')))?.subject, digestOf('absent'));
      });

      it('moves a tag, and keeps who pushed the same manifest first', async () => {
        await pushWhole('m', ['a'], { tags: [tag('latest')], pushedBy: 'id-alice' });
        await pushWhole('n', ['b'], { tags: [tag('latest')] });
        assert.equal(await links().findTag(APP, tag('latest')), digestOf('n'));
        assert.deepEqual(await push('m', image(['a']), { pushedBy: 'id-bob' }), { ok: true });
        assert.equal((await links().findManifest(APP, digestOf('m')))?.pushedBy, 'id-alice');
      });

      it('takes more blobs than a statement takes parameters', async () => {
        const layers = Array.from({ length: 1000 }, (_, at) => `layer-${at}`);
        await push('cached', image(layers), { requireContent: false });
        assert.deepEqual(await push('m', image(layers)), { ok: false, missing: digestOf('layer-0') });
        assert.deepEqual(await links().unowned(layers.map(digestOf)), []);
      });
    });

    describe('the rights on tags', () => {
      const CREATE_ONLY = { mayCreate: true, mayOverwrite: false };
      const OVERWRITE_ONLY = { mayCreate: false, mayOverwrite: true };
      const wanted = (tags: readonly string[], tagRights: NewManifestLink['tagRights']) => ({
        tags: tags.map(tag),
        tagRights,
      });

      it('N-16: of two pushes that race for a new tag only one may create it', async () => {
        await upload(APP, 'a', 'a-config');
        const results = await Promise.all(
          ['m1', 'm2'].map((name) => push(name, image(['a']), wanted(['new'], CREATE_ONLY))),
        );
        const won = results.findIndex(({ ok }) => ok);
        assert.deepEqual(results[1 - won], { ok: false, tag: tag('new'), lacks: 'tag.overwrite' });
        assert.equal(await links().findTag(APP, tag('new')), digestOf(`m${won + 1}`));
      });

      it('N-16: overwriting alone creates nothing', async () => {
        await pushWhole('m1', ['a'], { tags: [tag('old')] });
        assert.deepEqual(await push('m2', image(['a']), wanted(['old'], OVERWRITE_ONLY)), { ok: true });
        assert.deepEqual(await push('m3', image(['a']), wanted(['old', 'new'], OVERWRITE_ONLY)), {
          ok: false,
          tag: tag('new'),
          lacks: 'tag.create',
        });
      });

      it('are no right to take an immutable tag from what it names, also in a race', async () => {
        await upload(APP, 'a', 'a-config');
        const rights = { mayCreate: true, mayOverwrite: true, immutable: [tag('v1')] };
        const results = await Promise.all(
          ['m1', 'm2'].map((name) => push(name, image(['a']), wanted(['v1'], rights))),
        );
        const won = results.findIndex(({ ok }) => ok);
        assert.deepEqual(results[1 - won], { ok: false, tag: tag('v1'), lacks: 'tag.overwrite' });
        assert.deepEqual(await push(`m${won + 1}`, image(['a']), wanted(['v1'], rights)), { ok: true });
      });

      it('N-16: one tag that may not be set leaves all as it was', async () => {
        await pushWhole('m1', ['a'], { tags: [tag('old')] });
        const result = await push('m2', image(['a']), wanted(['new', 'old'], CREATE_ONLY));
        assert.deepEqual(result, { ok: false, tag: tag('old'), lacks: 'tag.overwrite' });
        assert.deepEqual(await links().listTags(APP, all), [tag('old')]);
        assert.equal(await links().findManifest(APP, digestOf('m2')), undefined);
      });
    });

    describe('a manifest from upstream', () => {
      it('links what it names as cached and asks for nothing', async () => {
        const child = descriptor('m', { mediaType: MEDIA_TYPES.ociManifest });
        assert.deepEqual(await push('i', index([child]), { requireContent: false }), { ok: true });
        assert.deepEqual(await push('m', image(['a']), { requireContent: false }), { ok: true });
        assert.deepEqual(await links().findBlob(APP, digestOf('a')), { owner: 'cached', size: 1 });
        assert.deepEqual(await links().manifestsNaming(APP, digestOf('a-config')), [digestOf('m')]);
      });

      it('takes over what was uploaded for it, and leaves the origin what is its own', async () => {
        await upload(APP, 'a');
        await push('m', image(['a']), { requireContent: false });
        assert.equal(await ownerOf('a'), 'cached');
        await pushWhole('n', ['b']);
        await push('n', image(['b']), { requireContent: false });
        assert.equal(await ownerOf('b'), 'origin');
      });
    });

    describe('a blob', () => {
      const link = (name: string, owner: 'origin' | 'pending' | 'cached', untilMs?: number) =>
        links().linkBlob({
          repository: APP,
          digest: digestOf(name),
          size: 7,
          owner,
          ...(untilMs === undefined ? {} : { untilMs }),
        });

      it('rises from cached to pending to origin and never falls', async () => {
        await link('a', 'cached');
        assert.equal(await ownerOf('a'), 'cached');
        await link('a', 'pending', 10);
        await link('a', 'cached');
        assert.equal(await ownerOf('a'), 'pending');
        await link('a', 'origin');
        await link('a', 'pending', 20);
        await link('a', 'cached');
        assert.equal(await ownerOf('a'), 'origin');
        assert.equal(await links().sweepPending(1000), 0);
      });

      it('that is pending is renewed, never shortened', async () => {
        await link('a', 'pending', 100);
        await link('a', 'pending', 50);
        assert.equal(await links().sweepPending(99), 0);
        await link('a', 'pending', 200);
        assert.equal(await links().sweepPending(100), 0);
        assert.equal(await links().sweepPending(200), 1);
        assert.equal(await ownerOf('a'), undefined);
      });

      it('that was pending goes back to cached when a manifest still names it', async () => {
        await push('m', image(['a']), { requireContent: false });
        await link('a', 'pending', 10);
        assert.equal(await links().sweepPending(10), 1);
        assert.equal(await ownerOf('a'), 'cached');
      });

      it('is removed from its repository alone', async () => {
        await upload(APP, 'a');
        await upload(OTHER, 'a');
        assert.equal(await links().removeBlob(APP, digestOf('a')), true);
        assert.equal(await links().removeBlob(APP, digestOf('a')), false);
        assert.equal(await ownerOf('a', OTHER), 'pending');
      });
    });

    describe('removing', () => {
      it('a tag leaves its manifest', async () => {
        await pushWhole('m', ['a'], { tags: [tag('latest')] });
        assert.equal(await links().removeTag(APP, tag('latest')), true);
        assert.equal(await links().removeTag(APP, tag('latest')), false);
        assert.equal(await links().findTag(APP, tag('latest')), undefined);
        assert.ok(await links().findManifest(APP, digestOf('m')));
      });

      it('a manifest takes its tags and the blobs that nothing else here names', async () => {
        await pushWhole('m', ['a', 'shared'], { tags: [tag('1'), tag('2')] });
        await pushWhole('n', ['b', 'shared'], { tags: [tag('3')] });
        await upload(APP, 'waiting');
        assert.equal(await links().removeManifest(APP, digestOf('m')), true);
        assert.equal(await links().removeManifest(APP, digestOf('m')), false);
        assert.deepEqual(await links().listTags(APP, all), ['3']);
        assert.equal(await ownerOf('a'), undefined);
        assert.equal(await ownerOf('a-config'), undefined);
        assert.equal(await ownerOf('shared'), 'origin');
        assert.equal(await ownerOf('waiting'), 'pending');
        assert.deepEqual(await links().manifestsNaming(APP, digestOf('shared')), [digestOf('n')]);
      });

      it('a manifest leaves what somebody relies on for the next push', async () => {
        await push('m', image(['a']), { requireContent: false });
        await upload(APP, 'a');
        await links().removeManifest(APP, digestOf('m'));
        assert.equal(await ownerOf('a'), 'pending');
        assert.equal(await ownerOf('a-config'), undefined);
      });

      it('a manifest leaves it in other repositories, and forgets its shape with the last', async () => {
        await pushWhole('m', ['a']);
        await pushWhole('m', ['a'], { repository: OTHER, tags: [tag('x')] });
        await links().removeManifest(APP, digestOf('m'));
        assert.equal(await links().findTag(OTHER, tag('x')), digestOf('m'));
        assert.equal(await ownerOf('a', OTHER), 'origin');
        assert.deepEqual(await links().unowned([digestOf('m'), digestOf('a')]), []);
        await links().removeManifest(OTHER, digestOf('m'));
        assert.deepEqual(await links().unowned([digestOf('m'), digestOf('a')]), [
          digestOf('m'),
          digestOf('a'),
        ]);
        await pushWhole('m', ['a']);
        assert.deepEqual(await links().manifestsNaming(APP, digestOf('a')), [digestOf('m')]);
      });

      it('what came through is merely cached, until a pusher relies on it or a repository holds it', async () => {
        await push('m', image(['a', 'b']), { requireContent: false });
        const all = ['m', 'a', 'b', 'a-config', 'never'].map(digestOf);
        assert.deepEqual(await links().merelyCached(all), all.slice(0, 4));
        await upload(OTHER, 'a');
        assert.deepEqual(await links().merelyCached(all), ['m', 'b', 'a-config'].map(digestOf));
        await pushWhole('m', ['a', 'b'], { repository: OTHER });
        assert.deepEqual(await links().merelyCached(all), []);
      });
    });

    describe('a list', () => {
      it('of tags comes in byte order and pages by the last name', async () => {
        await pushWhole('m', ['a'], { tags: ['b', 'B', '_', '1', 'a-1', 'a.1', 'a'].map(tag) });
        const everything = ['1', 'B', '_', 'a', 'a-1', 'a.1', 'b'];
        assert.deepEqual(await links().listTags(APP, all), everything);
        assert.deepEqual(await links().listTags(APP, { limit: 3 }), everything.slice(0, 3));
        assert.deepEqual(await links().listTags(APP, { limit: 3, last: '_' }), everything.slice(3, 6));
        assert.deepEqual(await links().listTags(APP, { limit: 3, last: 'b' }), []);
        assert.deepEqual(await links().listTags(APP, { limit: 0 }), []);
        assert.deepEqual(await links().listTags(OTHER, all), []);
      });

      it('takes any last and any limit as what they are (N-18, N-19)', async () => {
        await pushWhole('m', ['a'], { tags: [tag('v1')] });
        for (const last of ["'; drop table tags; --", '../../', '\u0000', '%', '" or 1=1', '']) {
          assert.deepEqual(await links().listTags(APP, { limit: 10, last }), ['v1'], last);
        }
        assert.deepEqual(await links().listTags(APP, { limit: 10, last: 'z'.repeat(65_536) }), []);
        for (const limit of [-1, Number.NaN]) assert.deepEqual(await links().listTags(APP, { limit }), []);
        for (const limit of [2 ** 31, 2 ** 53, 1e300, Number.POSITIVE_INFINITY, 1.9]) {
          assert.deepEqual(await links().listTags(APP, { limit }), ['v1'], String(limit));
        }
      });

      it('never has more than a page of 1000 and the one that says there is another', async () => {
        const tags = Array.from({ length: 1100 }, (_, at) => tag(`t${String(at).padStart(4, '0')}`));
        await pushWhole('m', ['a'], { tags });
        assert.equal((await links().listTags(APP, { limit: 1001 })).length, 1001);
        assert.equal((await links().listTags(APP, { limit: 5000 })).length, 1001);
      });

      it('of repositories holds those with a manifest, each once, in byte order', async () => {
        for (const name of ['b', 'a/z', 'a', 'a-b']) {
          await pushWhole('m', ['a'], { repository: repository(name) });
          await pushWhole('n', ['b'], { repository: repository(name) });
        }
        await upload(repository('empty'), 'a');
        assert.deepEqual(await links().listRepositories(all), ['a', 'a-b', 'a/z', 'b']);
        assert.deepEqual(await links().listRepositories({ limit: 2, last: 'a' }), ['a-b', 'a/z']);
      });

      it('of manifests comes with their tags and pages by digest', async () => {
        await pushWhole('m', ['a'], { tags: [tag('2'), tag('1')] });
        await pushWhole('n', ['b']);
        await pushWhole('o', ['c'], { tags: [tag('3')] });
        const whole = await links().listManifests(APP, all);
        const digests = ['m', 'n', 'o'].map(digestOf).sort();
        assert.deepEqual(
          whole.map(({ digest }) => digest),
          digests,
        );
        assert.deepEqual(whole.find(({ digest }) => digest === digestOf('m'))?.tags, ['1', '2']);
        assert.deepEqual(whole.find(({ digest }) => digest === digestOf('n'))?.tags, []);
        const paged = [];
        for (let last = ''; ; ) {
          const page = await links().listManifests(APP, { limit: 1, last });
          if (page[0] === undefined) break;
          paged.push(...page);
          last = page[0].digest;
        }
        assert.deepEqual(paged, whole);
        assert.deepEqual(await links().listManifests(OTHER, all), []);
      });
    });

    describe('referrers', () => {
      const referrer = (name: string, artifactType: string, where = APP) =>
        push(
          name,
          image(['a'], {
            kind: 'artifact',
            artifactType,
            subject: descriptor('subject'),
            annotations: { name },
          }),
          { repository: where, requireContent: false },
        );

      it('are found by subject and type, in their repository alone (V-32)', async () => {
        await referrer('sig', 'application/vnd.dev.sigstore.bundle.v0.3+json');
        await referrer('sbom', 'application/spdx+json');
        await referrer('elsewhere', 'application/spdx+json', OTHER);
        const list = (artifactType?: string) =>
          links().listReferrers(APP, digestOf('subject'), {
            limit: 1000,
            ...(artifactType === undefined ? {} : { artifactType }),
          });
        const both = await list();
        assert.deepEqual(
          both.map(({ digest }) => digest),
          [digestOf('sig'), digestOf('sbom')].sort(),
        );
        assert.deepEqual(
          (await list('application/spdx+json')).map(({ digest, annotations }) => ({ digest, annotations })),
          [{ digest: digestOf('sbom'), annotations: { name: 'sbom' } }],
        );
        assert.deepEqual(await list("' or 1=1 --"), []);
        assert.deepEqual(await links().listReferrers(APP, digestOf('sig'), all), []);
      });

      it('page by digest and go with the manifest', async () => {
        for (let at = 0; at < 5; at++) await referrer(`r${at}`, 'x/y');
        const digests = Array.from({ length: 5 }, (_, at) => digestOf(`r${at}`)).sort();
        const first = await links().listReferrers(APP, digestOf('subject'), { limit: 2 });
        const rest = await links().listReferrers(APP, digestOf('subject'), {
          limit: 10,
          last: first.at(-1)?.digest ?? '',
        });
        assert.deepEqual(
          [...first, ...rest].map(({ digest }) => digest),
          digests,
        );
        await links().removeManifest(APP, digestOf('r0'));
        assert.equal((await links().listReferrers(APP, digestOf('subject'), all)).length, 4);
      });
    });

    describe('a write', () => {
      it('publishes the repository that it changed, and nothing where nothing changed', async () => {
        const { changes } = bench();
        const expectChanges = async (work: Promise<unknown>, expected: readonly unknown[]) => {
          changes.length = 0;
          await work;
          assert.deepEqual(changes, expected);
        };
        const here = [{ topic: 'links', key: APP }];
        await expectChanges(upload(APP, 'a'), here);
        await expectChanges(upload(APP, 'a'), []);
        await upload(APP, 'a-config');
        await expectChanges(push('m', image(['a', 'b'])), []);
        // Its facts may have grown by what was found in the blobs that it shares with others.
        await expectChanges(push('m', image(['a'])), [{ topic: 'facts', key: digestOf('m') }, ...here]);
        await expectChanges(push('m', image(['a']), { tags: [tag('t')] }), here);
        await expectChanges(links().removeTag(APP, tag('t')), here);
        // Processes remember tags of registries behind us that are not in SQL.
        await expectChanges(links().removeTag(APP, tag('t')), here);
        await expectChanges(links().removeManifest(APP, digestOf('m')), here);
        await expectChanges(links().removeManifest(APP, digestOf('m')), here);
        await upload(APP, 'a');
        await expectChanges(links().sweepPending(bench().clock.nowMs() + 2 * DAY_MS), here);
      });
    });

    it('never calls a digest unowned that any repository links, whatever happened before (F-53)', async function () {
      this.timeout(120_000);
      const names = ['a', 'b', 'c', 'd'];
      const where = fc.constantFrom(APP, OTHER);
      const layers = fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 });
      const step = fc.oneof(
        fc.record({ do: fc.constant('upload' as const), where, blob: fc.constantFrom(...names) }),
        fc.record({ do: fc.constant('push' as const), where, layers, requireContent: fc.boolean() }),
        fc.record({ do: fc.constant('remove' as const), where, layers }),
        fc.record({ do: fc.constant('sweep' as const), afterMs: fc.nat(2 * DAY_MS) }),
      );
      const manifestOf = (list: readonly string[]) =>
        image(list, { config: descriptor('config', { mediaType: MEDIA_TYPES.ociConfig }) });
      const nameOf = (list: readonly string[]) => `image ${list.join()}`;
      const perform = async (one: typeof step extends fc.Arbitrary<infer Step> ? Step : never) => {
        if (one.do === 'upload') return upload(one.where, one.blob, 'config');
        if (one.do === 'sweep') return links().sweepPending(bench().clock.nowMs() + one.afterMs);
        const name = nameOf(one.layers);
        if (one.do === 'remove') return links().removeManifest(one.where, digestOf(name));
        return push(name, manifestOf(one.layers), {
          repository: one.where,
          requireContent: one.requireContent,
        });
      };
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const seen = new Set<Digest>([...names, 'config'].map(digestOf));
          for (const one of steps) {
            await perform(one);
            if (one.do === 'push') seen.add(digestOf(nameOf(one.layers)));
          }
          const unowned = new Set(await links().unowned([...seen]));
          for (const repo of [APP, OTHER]) {
            for (const manifest of await links().listManifests(repo, all)) {
              assert.ok(!unowned.has(manifest.digest), 'a linked manifest is unowned');
            }
            for (const digest of seen) {
              const blob = await links().findBlob(repo, digest);
              if (blob) assert.ok(!unowned.has(digest), 'a linked blob is unowned');
              // What a manifest names stays linked, else its pull would break after the next collection.
              const naming = await links().manifestsNaming(repo, digest);
              if (naming.length > 0) assert.ok(blob, 'a blob that a manifest names has no link');
              else assert.notEqual(blob?.owner, 'origin', 'a blob that nothing names is kept for ever');
            }
          }
          // The next run begins with nothing.
          for (const repo of [APP, OTHER]) {
            for (const { digest } of await links().listManifests(repo, all)) {
              await links().removeManifest(repo, digest);
            }
          }
          await links().sweepPending(bench().clock.nowMs() + 9 * DAY_MS);
          assert.deepEqual(new Set(await links().unowned([...seen])), seen);
        }),
        { numRuns: 60 },
      );
    });
  });
}
