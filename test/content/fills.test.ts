import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Fault } from '../../src/oci/index.ts';
import { until } from '../cluster/until.ts';
import { type ContentBench, createFeed, openBench, openFilesBelow, receive, sha256Of } from './bench.ts';

const busy = new Fault('DG_UPSTREAM_UNAVAILABLE', 'TOOMANYREQUESTS', 'busy', undefined, {
  headers: { 'Retry-After': '7' },
});

describe('fills of the content store', () => {
  let bench: ContentBench;
  beforeEach(async () => {
    bench = await openBench();
  });
  afterEach(async () => {
    await until(async () => (await openFilesBelow(bench.directory)).length === 0);
    await bench.close();
  });

  it('pass on what the registry answered in place of content, before anything was promised (P-13)', async () => {
    const digest = sha256Of('busy');
    const asked = bench.content.fill(digest, 4, async () => {
      throw busy;
    });
    await assert.rejects(asked, (error) => error === busy);
    assert.deepEqual(await bench.unfinished(), []);
    assert.equal(await bench.content.find(digest), undefined);
  });

  it('ask a registry that refuses everybody twice, not once for each who waits (P-13)', async () => {
    let asked = 0;
    const gate = Promise.withResolvers<void>();
    const start = async (): Promise<Readable> => {
      asked += 1;
      await gate.promise;
      throw busy;
    };
    const waiting = Array.from({ length: 200 }, () => bench.content.fill(sha256Of('busy'), 4, start));
    await until(() => asked === 1);
    gate.resolve();
    for (const outcome of await Promise.allSettled(waiting)) {
      assert.ok(outcome.status === 'rejected' && outcome.reason === busy);
    }
    assert.equal(asked, 2);
  });

  it('let nobody fail by what only the first caller was refused (P-13)', async () => {
    const bytes = randomBytes(1000);
    const digest = sha256Of(bytes);
    const gate = Promise.withResolvers<void>();
    const wasAsked = Promise.withResolvers<void>();
    const first = bench.content.fill(digest, bytes.length, async () => {
      wasAsked.resolve();
      await gate.promise;
      throw new Fault('DG_BLOB_VANISHED', 'BLOB_UNKNOWN', 'gone from that repository');
    });
    let asked = 0;
    const feed = createFeed();
    // Each looks for the content before it asks: only who asks first is surely the first.
    await wasAsked.promise;
    const startOwn = async (): Promise<Readable> => {
      asked += 1;
      return feed.stream;
    };
    const rest = Array.from({ length: 199 }, () => bench.content.fill(digest, bytes.length, startOwn));
    gate.resolve();
    await assert.rejects(first, { code: 'DG_BLOB_VANISHED', status: 404 });
    feed.send(bytes);
    feed.end();
    const fills = await Promise.all(rest);
    for (const { bytes: got } of await Promise.all(fills.map((fill) => receive(fill.stream())))) {
      assert.ok(got.equals(bytes));
    }
    assert.equal(asked, 1);
    await Promise.all(fills.map((fill) => fill.done));
  });

  it('ask nobody for what was published since the caller looked for it (P-13)', async () => {
    const bytes = Buffer.from('0123456789');
    const digest = sha256Of(bytes);
    await bench.content.put(digest, bytes);
    const fill = await bench.content.fill(digest, 10, notAgain);
    await fill.done;
    assert.equal(fill.size, 10);
    assert.equal(String((await receive(fill.stream())).bytes), '0123456789');
    assert.equal(String((await receive(fill.stream({ first: 2, last: 4 }))).bytes), '234');
    fill.stream().destroy();
    const stream = fill.stream();
    await bench.content.remove(digest);
    assert.ok((await receive(stream)).error, 'a removed file looked whole');
  });

  it('do not take a stored file of another size for what the caller means', async () => {
    const digest = sha256Of('sized');
    await bench.content.put(digest, Buffer.from('sized'));
    const feed = createFeed();
    const fill = await bench.content.fill(digest, 4, async () => feed.stream);
    feed.send('size');
    feed.end();
    assert.ok((await receive(fill.stream())).error);
    await assert.rejects(fill.done, { code: 'DG_CONTENT_MISMATCH' });
    assert.deepEqual(await bench.content.find(digest), { size: 5 });
  });

  it('raise an alarm when a registry lies, and none when it only breaks off (V-21)', async () => {
    for (const [bytes, isLie] of [
      ['1234X', true],
      ['1234', false],
    ] as const) {
      const feed = createFeed();
      const fill = await bench.content.fill(sha256Of('12345'), 5, async () => feed.stream);
      feed.send(bytes);
      if (isLie) feed.end();
      else feed.cut();
      await assert.rejects(fill.done);
      assert.equal(bench.errors.length, 1, bytes);
    }
  });
});

async function notAgain(): Promise<Readable> {
  throw new Error('the registry was asked');
}
