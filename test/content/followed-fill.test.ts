import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Content } from '../../src/content/index.ts';
import { type Digest, hexOf } from '../../src/oci/index.ts';
import { until } from '../cluster/until.ts';
import { type ContentBench, createFeed, openBench, openFilesBelow, receive, sha256Of } from './bench.ts';

const notAgain = (): Promise<Readable> => assert.fail('the registry was asked once more');

describe('a fill that another process of the node has begun', () => {
  let bench: ContentBench;
  let other: Content;
  beforeEach(async () => {
    bench = await openBench();
    other = await bench.reopen();
  });
  afterEach(async () => {
    const left = () => readdir(join(bench.directory, 'tmp'));
    await until(async () => (await left()).length === 0);
    await until(async () => (await openFilesBelow(bench.directory)).length === 0);
    await bench.close();
  });

  it('is read along while it grows, whole and by range, and the registry is asked once (P-13)', async () => {
    const bytes = randomBytes(100_000);
    const digest = sha256Of(bytes);
    const feed = createFeed();
    const own = await bench.content.fill(digest, bytes.length, async () => feed.stream);
    feed.send(bytes.subarray(0, 60_000));
    const followed = await other.fill(digest, bytes.length, notAgain);
    const [whole, part] = [followed.stream(), followed.stream({ first: 50_000, last: 99_999 })];
    const first = await new Promise<Buffer>((resolve) => whole.once('data', resolve));
    assert.ok(bytes.subarray(0, first.length).equals(first), 'before all of it is there');
    const rest = receive(whole);
    const ranged = receive(part);
    feed.send(bytes.subarray(60_000));
    feed.end();
    assert.ok(Buffer.concat([first, (await rest).bytes]).equals(bytes));
    assert.ok((await ranged).bytes.equals(bytes.subarray(50_000)));
    await Promise.all([own.done, followed.done]);
    // After its end, too.
    assert.ok((await receive(followed.stream())).bytes.equals(bytes));
  });

  it('is one for two hundred who ask all at once in both', async () => {
    const bytes = randomBytes(5000);
    const digest = sha256Of(bytes);
    const feed = createFeed();
    let asked = 0;
    const start = async (): Promise<Readable> => {
      asked += 1;
      return feed.stream;
    };
    const asking = Array.from({ length: 200 }, (_, index) =>
      (index % 2 === 0 ? bench.content : other).fill(digest, bytes.length, start),
    );
    feed.send(bytes);
    feed.end();
    const fills = await Promise.all(asking);
    for (const got of await Promise.all(fills.map((fill) => receive(fill.stream())))) {
      assert.ok(got.bytes.equals(bytes));
    }
    assert.equal(asked, 1);
    await Promise.all(fills.map((fill) => fill.done));
  });

  it('breaks those who read along when it is cut, or is something else, before its last byte (V-21)', async () => {
    const bytes = randomBytes(1000);
    const digest = sha256Of(bytes);
    for (const end of ['cut', 'lie'] as const) {
      const feed = createFeed();
      const own = await bench.content.fill(digest, bytes.length, async () => feed.stream);
      feed.send(bytes.subarray(0, 500));
      const followed = await other.fill(digest, bytes.length, notAgain);
      const got = receive(followed.stream());
      if (end === 'cut') feed.cut();
      else {
        feed.send(randomBytes(500));
        feed.end();
      }
      const { bytes: received, error } = await got;
      assert.ok(error);
      assert.ok(received.length < bytes.length);
      await assert.rejects(own.done);
      await assert.rejects(followed.done);
      assert.equal(await other.find(digest), undefined);
    }
  });

  it('is asked for by oneself when the other one was refused', async () => {
    const bytes = Buffer.from('0123456789');
    const digest = sha256Of(bytes);
    const gate = Promise.withResolvers<void>();
    const wasAsked = Promise.withResolvers<void>();
    const refused = bench.content.fill(digest, 10, async () => {
      wasAsked.resolve();
      await gate.promise;
      throw new Error('not in that repository');
    });
    await wasAsked.promise;
    const feed = createFeed();
    const own = other.fill(digest, 10, async () => feed.stream);
    gate.resolve();
    await assert.rejects(refused);
    feed.send(bytes);
    feed.end();
    const fill = await own;
    assert.ok((await receive(fill.stream())).bytes.equals(bytes));
    await fill.done;
  });

  const claim = (digest: Digest, size: number, target: string) =>
    symlink(target, join(bench.directory, 'tmp', `claim-sha256-${hexOf(digest)}-${size}`));

  it('is not waited for when that process has ended, or the claim says nothing of ours (S-17)', async () => {
    const name = 'a'.repeat(26);
    for (const target of [`${name}.999999999`, '../../elsewhere', `${name}/x.1`]) {
      const bytes = randomBytes(10);
      const digest = sha256Of(bytes);
      await claim(digest, 10, target);
      const feed = createFeed();
      feed.send(bytes);
      feed.end();
      const fill = await bench.content.fill(digest, 10, async () => feed.stream);
      assert.ok((await receive(fill.stream())).bytes.equals(bytes));
      await fill.done;
      await bench.content.remove(digest);
      await dropClaims();
    }
  });

  /** A claim that is none of ours stays where it is until it is swept. */
  const dropClaims = async (): Promise<void> => {
    for (const one of await readdir(join(bench.directory, 'tmp'))) {
      await rm(join(bench.directory, 'tmp', one), { force: true });
    }
  };
});
