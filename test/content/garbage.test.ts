import assert from 'node:assert/strict';
import { utimes } from 'node:fs/promises';
import { collectGarbage } from '../../src/content/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import { type ContentBench, listed, openBench, sha256Of } from './bench.ts';

const BEFORE_MS = 100_000;

describe('garbage collection', () => {
  let bench: ContentBench;
  beforeEach(async () => {
    bench = await openBench();
  });
  afterEach(() => bench.close());

  const store = async (text: string, isOld: boolean): Promise<Digest> => {
    const digest = sha256Of(text);
    await bench.content.put(digest, Buffer.from(text));
    if (isOld) await utimes(bench.pathOf(digest), 50, 50);
    return digest;
  };
  const collect = (
    unowned: (digests: readonly Digest[]) => Promise<readonly Digest[]>,
    isDryRun = false,
  ): Promise<{ readonly count: number; readonly bytes: number }> =>
    collectGarbage({ beforeMs: BEFORE_MS, isDryRun }, { content: bench.content, linkWrites: { unowned } });

  it('removes what nothing links, and neither what is linked nor what is young', async () => {
    const linked = await store('linked', true);
    const unlinked = await store('unlinked', true);
    const young = await store('young', false);
    const except = async (digests: readonly Digest[]) => digests.filter((digest) => digest !== linked);
    assert.deepEqual(await collect(except, true), { count: 1, bytes: 8 });
    assert.ok(await bench.content.find(unlinked));
    assert.deepEqual(await collect(except), { count: 1, bytes: 8 });
    assert.equal(await bench.content.find(unlinked), undefined);
    assert.ok(await bench.content.find(linked));
    assert.ok(await bench.content.find(young));
    assert.deepEqual(await collect(except), { count: 0, bytes: 0 });
  });

  it('asks for many at a time, and removes every one', async () => {
    const asked: number[] = [];
    for (let at = 0; at < 501; at += 1) await store(`blob ${at}`, true);
    const { count } = await collect(async (digests) => {
      asked.push(digests.length);
      return digests;
    });
    assert.equal(count, 501);
    assert.deepEqual(asked, [500, 1]);
    assert.deepEqual(await listed(bench.content), []);
  });

  it('leaves what a pusher was told is here after the links were asked (F-53)', async () => {
    const digest = await store('wanted', true);
    const { count } = await collect(async (digests) => {
      await bench.content.renew(digest);
      return digests;
    });
    assert.equal(count, 0);
    assert.deepEqual(await bench.content.find(digest), { size: 6 });
  });

  it('leaves what was pushed once more after the links were asked (F-53)', async () => {
    const digest = await store('again', true);
    const { count } = await collect(async (digests) => {
      await bench.content.put(digest, Buffer.from('again'));
      return digests;
    });
    assert.equal(count, 0);
    assert.ok(await bench.content.find(digest));
  });

  it('removes nothing when the links cannot be asked', async () => {
    const digest = await store('kept', true);
    const failing = async () => {
      throw new Error('the database is away');
    };
    await assert.rejects(collect(failing));
    assert.ok(await bench.content.find(digest));
  });
});
