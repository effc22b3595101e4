import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/base/index.ts';
import { collectGarbage } from '../../src/content/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import {
  accepted,
  append,
  blobsOf,
  digestIn,
  finish,
  pushBlob,
  pushImage,
  repositoryOf,
  tagOf,
} from '../contracts/source-bench.ts';
import { type OriginUnderTest, openOrigin } from './bench.ts';

const APP = repositoryOf('team/app');
const OTHER = repositoryOf('team/other');

describe('garbage collection of the embedded registry', () => {
  let bench: OriginUnderTest;
  beforeEach(async () => {
    bench = await openOrigin();
  });
  afterEach(() => bench.close());

  const collect = (isDryRun = false, unowned = bench.store.links.unowned.bind(bench.store.links)) =>
    collectGarbage(
      { beforeMs: bench.clock.nowMs() - HOUR_MS, isDryRun },
      { content: bench.content, linkWrites: { unowned } },
    );
  const isStored = async (digest: Digest) => (await bench.content.find(digest)) !== undefined;
  /** What housekeeping does before it collects. */
  const endPending = () => bench.store.links.sweepPending(bench.clock.nowMs());

  it('takes what nothing links any more, and nothing else', async () => {
    const image = await pushImage(bench, APP, [tagOf('v1')]);
    const loose = await pushBlob(bench, APP, randomBytes(100));
    bench.clock.advance(2 * HOUR_MS);
    assert.deepEqual(await collect(), { count: 0, bytes: 0 }, 'pending, or named by a manifest');
    bench.clock.advance(DAY_MS);
    await endPending();
    assert.deepEqual(await collect(true), { count: 1, bytes: 100 });
    assert.ok(await isStored(loose), 'a dry run removed something');
    assert.deepEqual(await collect(), { count: 1, bytes: 100 });
    assert.equal(await isStored(loose), false);
    for (const digest of [image.digest, ...blobsOf(image).map((blob) => blob.digest)]) {
      assert.ok(await isStored(digest));
    }
    await bench.source.removeManifest(APP, image.digest);
    await endPending();
    assert.equal((await collect()).count, 1 + blobsOf(image).length);
    assert.deepEqual(await collect(), { count: 0, bytes: 0 });
  });

  it('keeps what two repositories share until the second has let go of it', async () => {
    const bytes = randomBytes(64);
    const digest = await pushBlob(bench, APP, bytes);
    await pushBlob(bench, OTHER, bytes);
    bench.clock.advance(2 * HOUR_MS);
    await bench.source.removeBlob(APP, digest);
    assert.equal((await collect()).count, 0);
    await bench.source.removeBlob(OTHER, digest);
    assert.equal((await collect()).count, 1);
  });

  it('leaves a blob alone whose link is not committed yet, however long ago its last byte came', async () => {
    const { state } = accepted(await bench.source.startUpload(APP, 'sha256', 'u1'));
    accepted(await append(bench, APP, state, { chunks: ['slow'] }));
    const long = new Date(bench.clock.nowMs() - 5 * HOUR_MS);
    for (const path of await filesBelow(join(bench.directory, 'uploads'))) await utimes(path, long, long);
    const unlinked = { ...bench, link: async () => {} };
    accepted(await finish(unlinked, APP, state, digestIn('slow')));
    assert.equal((await collect()).count, 0);
    assert.ok(await isStored(digestIn('slow')));
  });

  for (const [what, use] of [
    ['mounts it', (digest: Digest) => bench.source.mount(OTHER, APP, digest)],
    ['is told that it is there', (digest: Digest) => bench.source.findBlob(APP, digest)],
    ['uploads it once more', () => pushBlob(bench, OTHER, Buffer.from('wanted again'))],
  ] as const) {
    it(`leaves a blob alone when a pusher ${what} while it decides (F-53)`, async () => {
      const digest = await pushBlob(bench, APP, Buffer.from('wanted again'));
      bench.clock.advance(2 * HOUR_MS);
      const { count } = await collect(false, async (digests) => {
        assert.deepEqual(digests, [digest]);
        assert.ok(await use(digest));
        return digests;
      });
      assert.equal(count, 0);
      assert.ok(await isStored(digest));
      assert.deepEqual(await readdir(join(bench.directory, 'content', 'tmp')), []);
    });
  }

  it('leaves a manifest alone that is pushed once more while it decides', async () => {
    const image = await pushImage(bench, APP, [tagOf('v1')]);
    bench.clock.advance(DAY_MS + MINUTE_MS);
    await bench.source.removeManifest(APP, image.digest);
    await collect(false, async () => {
      await pushImage(bench, APP, [tagOf('v1')], image);
      return [image.digest];
    });
    const read = await bench.source.readManifest(APP, image.digest);
    assert.ok(read && Buffer.from(read.bytes).equals(image.manifest));
    assert.ok(await isStored(image.digest));
  });

  it('is undone by a push of the same manifest, also by a process that has it in memory', async () => {
    const image = await pushImage(bench, APP, [tagOf('v1')]);
    assert.ok(await bench.source.readManifest(APP, image.digest));
    await bench.source.removeManifest(APP, image.digest);
    bench.clock.advance(2 * DAY_MS);
    await endPending();
    const elsewhere = await bench.reopenContent();
    const parts = { content: elsewhere, linkWrites: bench.store.links };
    await collectGarbage({ beforeMs: bench.clock.nowMs() - HOUR_MS, isDryRun: false }, parts);
    assert.equal(await isStored(image.digest), false);
    await pushImage(bench, APP, [tagOf('v1')], image);
    const fresh = await bench.reopenContent();
    assert.ok(await fresh.read(image.digest, 1_000_000));
  });
});

async function filesBelow(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
