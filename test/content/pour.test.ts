import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open, truncate, writeFile } from 'node:fs/promises';
import type { Pourable } from '../../src/content/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import { until } from '../cluster/until.ts';
import { type ContentBench, openBench, openFilesBelow, sha256Of } from './bench.ts';

/** What was given, copied at once as a socket would. */
async function collect(poured: Pourable | undefined): Promise<{ bytes: Buffer; error?: unknown }> {
  assert.ok(poured, 'the content is not there');
  const pieces: Buffer[] = [];
  const taken = () => Buffer.concat(pieces);
  try {
    await poured.pour(async (piece) => void pieces.push(Buffer.from(piece)));
    return { bytes: taken() };
  } catch (error) {
    return { bytes: taken(), error };
  }
}

describe('poured content', () => {
  let bench: ContentBench;
  beforeEach(async () => {
    bench = await openBench();
  });
  afterEach(async () => {
    await until(async () => (await openFilesBelow(bench.directory)).length === 0);
    await bench.close();
  });

  const store = async (bytes: Buffer): Promise<Digest> => {
    const digest = sha256Of(bytes);
    await bench.content.put(digest, bytes);
    return digest;
  };

  it('is what was stored, whole and by range, hashed on the way or known already', async () => {
    const bytes = randomBytes(1_500_001);
    const digest = await store(bytes);
    const content = await bench.reopen();
    for (const range of [
      { first: 700_000, last: 1_400_000 },
      undefined,
      { first: 0, last: 0 },
      { first: 1_500_000, last: 1_500_000 },
      undefined,
    ]) {
      for (const opener of [content, await bench.reopen()]) {
        const poured = await opener.openToPour(digest, range);
        assert.equal(poured?.size, bytes.length);
        const got = await collect(poured);
        assert.equal(got.error, undefined);
        assert.ok(got.bytes.equals(range ? bytes.subarray(range.first, range.last + 1) : bytes));
      }
    }
  });

  for (const size of [0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 512 * 1024]) {
    it(`is whole with ${size} bytes`, async () => {
      const bytes = randomBytes(size);
      const digest = await store(bytes);
      const content = await bench.reopen();
      for (let time = 0; time < 2; time += 1) {
        assert.deepEqual(await collect(await content.openToPour(digest)), { bytes });
      }
    });
  }

  it('leaves a piece as it is until its taker is done with it, and gives one at a time', async () => {
    const bytes = randomBytes(2_000_000);
    const digest = await store(bytes);
    for (const content of [bench.content, await bench.reopen()]) {
      const pieces: Buffer[] = [];
      let isTaking = false;
      const poured = await content.openToPour(digest);
      await poured?.pour(async (piece) => {
        assert.equal(isTaking, false);
        isTaking = true;
        const before = Buffer.from(piece);
        for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        assert.ok(before.equals(piece));
        pieces.push(before);
        isTaking = false;
      });
      assert.ok(Buffer.concat(pieces).equals(bytes));
    }
  });

  for (const at of [0, 1_000_000, 1_999_999]) {
    it(`S-18: is never whole with byte ${at} flipped, and is gone after the first look`, async () => {
      const bytes = randomBytes(2_000_000);
      const digest = await store(bytes);
      assert.deepEqual(await collect(await bench.content.openToPour(digest)), { bytes });
      const file = await open(bench.pathOf(digest), 'r+');
      await file.write(Buffer.from([(bytes[at] ?? 0) ^ 1]), 0, 1, at);
      await file.close();
      const got = await collect(await bench.content.openToPour(digest));
      assert.ok(got.error);
      assert.ok(got.bytes.length < bytes.length);
      assert.equal(await bench.content.openToPour(digest), undefined);
      assert.equal(bench.errors.length, 1);
    });
  }

  it('S-18: gives nothing of a small file that was cut or made longer, and no range of it', async () => {
    for (const spoil of [
      (path: string) => truncate(path, 5),
      (path: string) => truncate(path, 0),
      (path: string) => writeFile(path, 'x', { flag: 'a' }),
    ]) {
      for (const range of [undefined, { first: 1, last: 3 }]) {
        const digest = await store(randomBytes(100));
        await spoil(bench.pathOf(digest));
        const opened = await bench.content.openToPour(digest, range);
        if (range) assert.equal(opened, undefined);
        else assert.equal((await collect(opened)).bytes.length, 0);
        assert.equal(await bench.content.find(digest), undefined);
      }
    }
  });

  it('S-18: breaks off where a file ends that was whole when it was opened', async () => {
    const digest = await store(randomBytes(2_000_000));
    const content = await bench.reopen();
    for (let time = 0; time < 2; time += 1) {
      const opened = await content.openToPour(digest);
      if (time > 0) await truncate(bench.pathOf(digest), 1_000_000);
      const got = await collect(opened);
      assert.equal(got.bytes.length, time > 0 ? 1_000_000 : 2_000_000);
      assert.equal(got.error !== undefined, time > 0);
    }
  });

  it('ends with what its taker threw, closed, however far it came', async () => {
    const digest = await store(randomBytes(2_000_000));
    const content = await bench.reopen();
    for (const after of [0, 3, 7]) {
      const gone = new Error('the client hung up');
      let count = 0;
      const opened = await content.openToPour(digest);
      await assert.rejects(
        opened?.pour(async () => {
          count += 1;
          if (count > after) throw gone;
        }) ?? Promise.resolve(),
        gone,
      );
      assert.equal(count, after + 1);
      assert.deepEqual(await openFilesBelow(bench.directory), []);
    }
  });
});
