import assert from 'node:assert/strict';
import { utimes } from 'node:fs/promises';
import fc from 'fast-check';
import { DAY_MS } from '../../src/base/index.ts';
import { evictCached } from '../../src/content/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import { type ContentBench, listed, openBench, sha256Of } from './bench.ts';

const NOW_DAY = 100;
const BEFORE_MS = NOW_DAY * DAY_MS;

describe('cached content is bounded', () => {
  let bench: ContentBench;
  beforeEach(async () => {
    bench = await openBench();
  });
  afterEach(() => bench.close());

  /** Last used on that day, but as old as the first. */
  const store = async (name: string, size: number, usedOnDay: number): Promise<Digest> => {
    const bytes = Buffer.alloc(size, name);
    const digest = sha256Of(bytes);
    await bench.content.put(digest, bytes);
    await utimes(bench.pathOf(digest), usedOnDay * 86_400 + 1, 1);
    return digest;
  };
  const all = async (digests: readonly Digest[]): Promise<readonly Digest[]> => digests;
  const evict = (bytesMax: number, merelyCached = all) =>
    evictCached({ bytesMax, beforeMs: BEFORE_MS }, { content: bench.content, linkWrites: { merelyCached } });

  it('loses nothing while it is within its bound', async () => {
    await store('a', 100, 1);
    assert.deepEqual(await evict(100), { count: 0, bytes: 0 });
    assert.equal((await listed(bench.content)).length, 1);
  });

  it('loses what was not used for the most days first, and of one day the largest', async () => {
    const old = await store('a', 50, 1);
    const large = await store('b', 1000, 5);
    const small = await store('c', 60, 5);
    const recent = await store('d', 2000, 9);
    assert.deepEqual(await evict(3000), { count: 2, bytes: 1050 });
    assert.equal(await bench.content.find(old), undefined);
    assert.equal(await bench.content.find(large), undefined);
    assert.deepEqual(await evict(2000), { count: 1, bytes: 60 });
    assert.equal(await bench.content.find(small), undefined);
    assert.ok(await bench.content.find(recent));
  });

  it('never touches what a repository holds, nor counts it', async () => {
    const held = await store('a', 5000, 1);
    const cached = await store('b', 100, 9);
    const others = async (digests: readonly Digest[]) => digests.filter((digest) => digest !== held);
    assert.deepEqual(await evict(100, others), { count: 0, bytes: 0 });
    assert.deepEqual(await evict(0, others), { count: 1, bytes: 100 });
    assert.ok(await bench.content.find(held));
    assert.equal(await bench.content.find(cached), undefined);
  });

  it('leaves what is young, since somebody may be about to link it (F-53)', async () => {
    const bytes = Buffer.from('young');
    await bench.content.put(sha256Of(bytes), bytes);
    assert.deepEqual(await evict(0), { count: 0, bytes: 0 });
    const wanted = await store('wanted', 10, 1);
    let asked = 0;
    const renewing = async (digests: readonly Digest[]) => {
      asked += 1;
      // Bytes are added up first; the second time its removal is at hand.
      if (asked === 2) await bench.content.renew(wanted);
      return digests;
    };
    assert.deepEqual(await evict(0, renewing), { count: 0, bytes: 0 });
    assert.ok(await bench.content.find(wanted));
  });

  it('keeps to the bound, and takes no more than one file too many, whatever lies there', async () => {
    const file = fc.record({ size: fc.integer({ min: 0, max: 5000 }), day: fc.integer({ min: 0, max: 99 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { maxLength: 1200 }),
        fc.integer({ min: 0, max: 500_000 }),
        async (files, max) => {
          const left = new Map(
            files.map(({ size, day }, at) => [
              sha256Of(String(at)),
              { size, usedAtMs: day * DAY_MS, modifiedAtMs: 0 },
            ]),
          );
          const before = [...left.values()].reduce((sum, { size }) => sum + size, 0);
          const content = {
            async *list() {
              for (const [digest, one] of [...left]) yield { digest, ...one };
            },
            remove: async (digest: Digest) => left.delete(digest),
          };
          const { bytes } = await evictCached(
            { bytesMax: max, beforeMs: BEFORE_MS },
            { content, linkWrites: { merelyCached: all } },
          );
          const after = [...left.values()].reduce((sum, { size }) => sum + size, 0);
          assert.equal(before - after, bytes);
          assert.ok(after <= Math.max(max, 0) || before <= max);
          if (before > max) assert.ok(after >= max - 5000, `${after} of ${max} left`);
        },
      ),
      { numRuns: 60 },
    );
  });
});
