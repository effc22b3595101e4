import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { digestOf } from '../../src/content/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import { until } from '../cluster/until.ts';
import { type ContentBench, openBench, openFilesBelow, receive, sha256Of } from './bench.ts';

describe('stored content', () => {
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
  /** As a bad disk or a stranger with its rights would: the times of the file stay, as far as one can set them. */
  const flipByte = async (digest: Digest, at: number): Promise<void> => {
    const file = await open(bench.pathOf(digest), 'r+');
    const { atime, mtime } = await file.stat();
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    await file.write(Buffer.from([byte.readUInt8() ^ 1]), 0, 1, at);
    await file.close();
    await utimes(bench.pathOf(digest), atime, mtime);
  };

  it('is streamed whole and by range, hashed or known already', async () => {
    const bytes = randomBytes(2_500_000);
    const digest = await store(bytes);
    const content = await bench.reopen();
    for (const range of [
      { first: 1_000_000, last: 2_000_000 },
      undefined,
      { first: 0, last: 0 },
      undefined,
    ]) {
      for (const opener of [content, await bench.reopen()]) {
        const opened = await opener.open(digest, range);
        assert.equal(opened?.size, bytes.length);
        const expected = range ? bytes.subarray(range.first, range.last + 1) : bytes;
        assert.ok((await buffer(opened.stream)).equals(expected));
      }
    }
  });

  it('may be empty', async () => {
    const digest = await store(Buffer.alloc(0));
    for (let time = 0; time < 2; time += 1) {
      const opened = await bench.content.open(digest);
      assert.equal(opened?.size, 0);
      assert.deepEqual(await receive(opened.stream), { bytes: Buffer.alloc(0) });
    }
    assert.deepEqual(await (await bench.reopen()).read(digest, 10), Buffer.alloc(0));
  });

  it('is closed when its reader hangs up', async () => {
    const digest = await store(randomBytes(3_000_000));
    const content = await bench.reopen();
    (await content.open(digest))?.stream.destroy();
    await bytesOf(await content.open(digest));
    (await content.open(digest))?.stream.destroy();
    await until(async () => (await openFilesBelow(bench.directory)).length === 0);
  });

  for (const at of [0, 1_500_000, 2_499_999]) {
    it(`is never served whole with byte ${at} flipped, and is gone after the first look (S-18)`, async () => {
      const bytes = randomBytes(2_500_000);
      const digest = await store(bytes);
      assert.ok((await bytesOf(await bench.content.open(digest))).equals(bytes));
      await flipByte(digest, at);
      const opened = await bench.content.open(digest);
      assert.ok(opened);
      const { error, bytes: got } = await receive(opened.stream);
      assert.ok(error);
      assert.ok(got.length < bytes.length);
      assert.equal(await bench.content.open(digest), undefined);
      assert.equal(await bench.content.find(digest), undefined);
      assert.equal(bench.errors.length, 1);
      await bench.content.put(digest, bytes);
      assert.ok((await bytesOf(await bench.content.open(digest))).equals(bytes));
    });
  }

  it('gives no range of a damaged file, however many ask (S-18)', async () => {
    const digest = await store(randomBytes(2_500_000));
    await flipByte(digest, 2_400_000);
    const range = { first: 0, last: 99 };
    const opened = await Promise.all([1, 2, 3].map(() => bench.content.open(digest, range)));
    assert.deepEqual(opened, [undefined, undefined, undefined]);
    assert.equal(await bench.content.find(digest), undefined);
  });

  it('is not served when it is shorter or longer than it was, or another content was put there (S-18)', async () => {
    const spoil: ((path: string) => Promise<void>)[] = [
      (path) => truncate(path, 5),
      (path) => truncate(path, 0),
      (path) => writeFile(path, 'x', { flag: 'a' }),
      async (path) => {
        await writeFile(`${path}.new`, randomBytes(100));
        await rename(`${path}.new`, path);
      },
    ];
    for (const how of spoil) {
      const bytes = randomBytes(100);
      const digest = await store(bytes);
      await how(bench.pathOf(digest));
      const opened = await bench.content.open(digest);
      assert.ok(opened);
      const { error, bytes: got } = await receive(opened.stream);
      assert.ok(error);
      assert.equal(got.length, 0);
      assert.equal(await bench.content.find(digest), undefined);
    }
  });

  it('holds no more memory than its own bytes when it is kept there', async () => {
    const pooled = Buffer.from('a manifest');
    assert.ok(pooled.buffer.byteLength > pooled.length, 'a small buffer is a part of a pool');
    const digest = await store(pooled);
    const kept = await bench.content.read(digest, 10);
    assert.equal(kept?.buffer.byteLength, 10);
    assert.equal(String(await (await bench.reopen()).read(digest, 10)), 'a manifest');
  });

  it('is read whole when small, and removed when damaged (S-18)', async () => {
    const digest = await store(Buffer.from('a manifest'));
    const content = await bench.reopen();
    assert.equal(await content.read(digest, 9), undefined);
    assert.equal(String(await content.read(digest, 10)), 'a manifest');
    // From memory now, also against its limit.
    await flipByte(digest, 0);
    assert.equal(String(await content.read(digest, 10)), 'a manifest');
    assert.equal(await content.read(digest, 9), undefined);
    const other = await bench.reopen();
    assert.equal(await other.read(digest, 10), undefined);
    assert.equal(await other.find(digest), undefined);
    assert.equal(bench.errors.length, 1);
  });

  it('is verified by reading all of it (S-18)', async () => {
    const digest = await store(randomBytes(1_200_000));
    assert.equal(await bench.content.verify(digest), true);
    await flipByte(digest, 1_199_999);
    assert.equal(await bench.content.verify(digest), false);
    assert.equal(await bench.content.verify(digest), undefined);
  });

  it('stays when somebody has mended it while the damage was being found', async () => {
    const bytes = randomBytes(2_500_000);
    const digest = await store(bytes);
    await flipByte(digest, 0);
    const opened = await bench.content.open(digest);
    assert.ok(opened);
    await bench.content.remove(digest);
    await bench.content.put(digest, bytes);
    assert.ok((await receive(opened.stream)).error);
    assert.deepEqual(await bench.content.find(digest), { size: bytes.length });
  });

  it('follows no link and waits for no pipe that lies in its place (S-17)', async () => {
    const secret = join(dirname(bench.directory), 'secret');
    await writeFile(secret, 'secret');
    const digest = sha256Of('secret');
    await mkdir(dirname(bench.pathOf(digest)), { recursive: true });
    for (const plant of [() => symlink(secret, bench.pathOf(digest)), () => mkdir(bench.pathOf(digest))]) {
      await plant();
      assert.equal(await bench.content.find(digest), undefined);
      assert.equal(await bench.content.open(digest), undefined);
      assert.equal(await bench.content.read(digest, 100), undefined);
      assert.equal(await bench.content.verify(digest), undefined);
      await rm(bench.pathOf(digest), { recursive: true });
    }
    await symlink(secret, bench.pathOf(digest));
    await bench.content.put(digest, Buffer.from('secret'));
    await writeFile(secret, 'changed');
    const found = await bench.content.open(digest);
    assert.equal(String(await bytesOf(found)), 'secret');
  });

  it('of sha512 lies apart from sha256', async () => {
    const bytes = Buffer.from('wide');
    const digest = digestOf(bytes, 'sha512');
    await bench.content.put(digest, bytes);
    assert.equal(await bench.content.find(sha256Of('wide')), undefined);
    assert.equal(String(await (await bench.reopen()).read(digest, 10)), 'wide');
    await flipByte(digest, 0);
    assert.equal(await bench.content.verify(digest), false);
  });

  it('is a fault, not an absence, when the disk cannot be read', async () => {
    const digest = await store(Buffer.from('there'));
    const shard = dirname(bench.pathOf(digest));
    await rename(shard, `${shard}.away`);
    await writeFile(shard, 'no directory');
    const fault = { code: 'DG_CONTENT_UNAVAILABLE', status: 503 };
    const content = await bench.reopen();
    await assert.rejects(content.find(digest), fault);
    await assert.rejects(content.open(digest), fault);
    await assert.rejects(content.read(digest, 10), fault);
    await assert.rejects(content.put(digest, Buffer.from('there')), fault);
    await assert.rejects(content.remove(digest), fault);
    await chmod(shard, 0o600);
    assert.deepEqual(await bench.unfinished(), []);
  });
});

function bytesOf(opened: { readonly stream: Readable } | undefined): Promise<Buffer> {
  assert.ok(opened, 'the content is not there');
  return buffer(opened.stream);
}
