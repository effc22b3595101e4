import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createLocalChanges, createManualClock } from '../../src/base/index.ts';
import { createLinkMemory, type LinkReads } from '../../src/content/index.ts';
import type { Digest, Repository, Tag } from '../../src/oci/index.ts';
import { digestOf, repository, tag } from '../contracts/store-bench.ts';

const APP = repository('team/app');
const OTHER = repository('team/other');
const TAG = tag('1');

/** What SQL holds, with a count of how often it is asked, and one worker's memory of it. */
function openWorld(options: { readonly keepsTags?: boolean; readonly bytesMax?: number } = {}) {
  const clock = createManualClock();
  const changes = createLocalChanges();
  const held = new Map<string, Digest>();
  const world = { asked: 0, lifeMs: Number.POSITIVE_INFINITY };
  const waiting: Promise<void>[] = [];
  const find = async (where: Repository, key: string): Promise<Digest | undefined> => {
    world.asked += 1;
    const found = held.get(`${where} ${key}`);
    await waiting.shift();
    return found;
  };
  const links = {
    findTag: find,
    findManifest: async (where: Repository, digest: Digest) => {
      const found = await find(where, digest);
      return found && { digest: found, mediaType: 'text/plain', kind: 'image', size: 1, annotations: {} };
    },
    findBlob: async (where: Repository, digest: Digest) => {
      const found = await find(where, digest);
      return found && { owner: 'origin', size: 1 };
    },
    manifestsNaming: async (where: Repository, digest: Digest) => {
      const found = await find(where, digest);
      return found ? [found] : [];
    },
  } as Partial<LinkReads> as LinkReads;
  const open = () =>
    createLinkMemory(
      { keepsTags: true, ...options },
      { links, clock, changes: { ...changes, lifetimeMsMax: () => world.lifeMs } },
    );
  return { clock, changes, held, world, waiting, open };
}

describe('what a worker remembers of links', () => {
  it('is read once, of tags, manifests, blobs and of who names them', async () => {
    const { held, world, open } = openWorld();
    const { links } = open();
    held.set(`${APP} 1`, digestOf('a')).set(`${APP} ${digestOf('a')}`, digestOf('b'));
    for (let time = 0; time < 3; time += 1) {
      assert.equal(await links.findTag(APP, TAG), digestOf('a'));
      assert.equal((await links.findManifest(APP, digestOf('a')))?.digest, digestOf('b'));
      assert.equal((await links.findBlob(APP, digestOf('a')))?.size, 1);
      assert.deepEqual(await links.manifestsNaming(APP, digestOf('a')), [digestOf('b')]);
    }
    assert.equal(world.asked, 4);
  });

  it('is not kept from a worker: a tag that moves or goes, and a manifest that goes, are seen at once', async () => {
    const names = fc.constantFrom('1', '2', digestOf('1'), digestOf('2'));
    const wheres = fc.constantFrom(APP, OTHER);
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set'), where: wheres, key: names, to: fc.constantFrom('x', 'y', 'z') }),
      fc.record({ kind: fc.constant('remove'), where: wheres, key: names, to: fc.constant('') }),
      fc.record({ kind: fc.constant('lose'), where: wheres, key: names, to: fc.constant('') }),
      fc.record({ kind: fc.constantFrom('read', 'read2'), where: wheres, key: names, to: fc.constant('') }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { changes, held, open } = openWorld();
        const workers = [open().links, open().links] as const;
        for (const { kind, where, key, to } of steps) {
          const place = `${where} ${key}`;
          if (kind === 'set') held.set(place, digestOf(to));
          if (kind === 'remove') held.delete(place);
          if (kind === 'set' || kind === 'remove') changes.publish({ topic: 'links', key: where });
          if (kind === 'lose') changes.lose();
          const links = workers[kind === 'read2' ? 1 : 0];
          const truth = held.get(place);
          assert.equal(await links.findTag(where, key as Tag), truth);
          assert.equal((await links.findManifest(where, key as Digest))?.digest, truth);
          assert.equal(await links.findBlob(where, key as Digest).then((found) => found?.size), truth && 1);
          assert.deepEqual(await links.manifestsNaming(where, key as Digest), truth ? [truth] : []);
        }
      }),
    );
  });

  it('is nothing that a change overtook while it was read', async () => {
    const { changes, held, waiting, open } = openWorld();
    const { links } = open();
    held.set(`${APP} 1`, digestOf('old'));
    const gate = Promise.withResolvers<void>();
    waiting.push(gate.promise);
    const before = links.findTag(APP, TAG);
    held.set(`${APP} 1`, digestOf('new'));
    changes.publish({ topic: 'links', key: APP });
    gate.resolve();
    assert.equal(await before, digestOf('old'));
    assert.equal(await links.findTag(APP, TAG), digestOf('new'));
    assert.equal(await links.findTag(APP, TAG), digestOf('new'));
  });

  it('is never that something is absent', async () => {
    const { held, open } = openWorld();
    const { links } = open();
    assert.equal(await links.findTag(APP, TAG), undefined);
    assert.equal(await links.findManifest(APP, digestOf('a')), undefined);
    assert.deepEqual(await links.manifestsNaming(APP, digestOf('a')), []);
    // Told by nobody: what another replica pushed is there at once all the same.
    held.set(`${APP} 1`, digestOf('a')).set(`${APP} ${digestOf('a')}`, digestOf('a'));
    assert.equal(await links.findTag(APP, TAG), digestOf('a'));
    assert.ok(await links.findManifest(APP, digestOf('a')));
    assert.deepEqual(await links.manifestsNaming(APP, digestOf('a')), [digestOf('a')]);
  });

  it('holds no longer than the line to the others is whole, and never longer than a minute', async () => {
    const { clock, held, world, open } = openWorld();
    const { links } = open();
    held.set(`${APP} 1`, digestOf('a'));
    await links.findTag(APP, TAG);
    held.set(`${APP} 1`, digestOf('b'));
    clock.advance(59_999);
    assert.equal(await links.findTag(APP, TAG), digestOf('a'));
    world.lifeMs = 2000;
    assert.equal(await links.findTag(APP, TAG), digestOf('b'));
    world.lifeMs = Number.POSITIVE_INFINITY;
    held.set(`${APP} 1`, digestOf('c'));
    clock.advance(60_000);
    assert.equal(await links.findTag(APP, TAG), digestOf('c'));
  });

  it('is no tag where other replicas set them, too', async () => {
    const { held, open } = openWorld({ keepsTags: false });
    const { links } = open();
    held.set(`${APP} 1`, digestOf('a'));
    assert.equal(await links.findTag(APP, TAG), digestOf('a'));
    held.set(`${APP} 1`, digestOf('b'));
    assert.equal(await links.findTag(APP, TAG), digestOf('b'));
  });

  it('is dropped by a change of its repository, or of any, and by no other', async () => {
    const { changes, held, world, open } = openWorld();
    const { links, close } = open();
    held.set(`${APP} 1`, digestOf('a'));
    await links.findTag(APP, TAG);
    changes.publish({ topic: 'links', key: OTHER });
    changes.publish({ topic: 'facts', key: APP });
    await links.findTag(APP, TAG);
    assert.equal(world.asked, 1);
    changes.publish({ topic: 'links' });
    await links.findTag(APP, TAG);
    assert.equal(world.asked, 2);
    changes.lose();
    await links.findTag(APP, TAG);
    assert.equal(world.asked, 3);
    close();
    changes.publish({ topic: 'links', key: APP });
    await links.findTag(APP, TAG);
    assert.equal(world.asked, 3);
  });

  it('takes no more memory than it may', async () => {
    const { held, world, open } = openWorld({ bytesMax: 40_000 });
    const { links } = open();
    const tags = Array.from({ length: 200 }, (_, index) => tag(`t${index}`));
    for (const one of tags) held.set(`${APP} ${one}`, digestOf(one));
    for (const one of tags) assert.equal(await links.findTag(APP, one), digestOf(one));
    for (const one of tags.slice(-5)) await links.findTag(APP, one);
    assert.equal(world.asked, 200, 'the newest are kept');
    await links.findTag(APP, tag('t0'));
    assert.equal(world.asked, 201, 'the oldest are not');
  });
});
