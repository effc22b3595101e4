import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { digestOf, type Fill } from '../../src/content/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import { until } from '../cluster/until.ts';
import {
  type ContentBench,
  createFeed,
  type Feed,
  openBench,
  openFilesBelow,
  receive,
  sha256Of,
} from './bench.ts';

const run = promisify(execFile);

describe('a shared fill', () => {
  let bench: ContentBench;
  beforeEach(async () => {
    bench = await openBench();
  });
  afterEach(async () => {
    await until(async () => (await openFilesBelow(bench.directory)).length === 0);
    await bench.close();
  });

  const begin = async (digest: Digest, size: number): Promise<{ fill: Fill; feed: Feed }> => {
    const feed = createFeed();
    return { fill: await bench.content.fill(digest, size, async () => feed.stream), feed };
  };
  const leavesNothing = async (digest: Digest): Promise<void> => {
    assert.equal(await bench.content.find(digest), undefined);
    assert.deepEqual(await bench.unfinished(), []);
  };

  it('asks the registry once for any number of callers, and gives each all of it', async () => {
    const bytes = randomBytes(3_000_001);
    const digest = sha256Of(bytes);
    const feed = createFeed();
    let started = 0;
    const start = async (): Promise<Readable> => {
      started += 1;
      return feed.stream;
    };
    const early = await Promise.all(
      Array.from({ length: 20 }, () => bench.content.fill(digest, bytes.length, start)),
    );
    feed.send(bytes.subarray(0, 1_000_000));
    const late = await bench.content.fill(digest, bytes.length, start);
    const readers = [...early, late].map((fill) => receive(fill.stream()));
    feed.send(bytes.subarray(1_000_000));
    feed.end();
    for (const received of await Promise.all(readers)) assert.ok(received.bytes.equals(bytes));
    assert.equal(started, 1);
    await late.done;
    assert.deepEqual(await bench.content.find(digest), { size: bytes.length });
    assert.deepEqual(await bench.unfinished(), []);
  });

  it('streams while it stores: a reader has the first bytes before the last ones are sent', async () => {
    const { fill, feed } = await begin(sha256Of('first, last'), 11);
    const stream = fill.stream();
    feed.send('first');
    const [chunk] = await once(stream, 'data');
    assert.equal(String(chunk), 'first');
    const rest = receive(stream);
    feed.send(', last');
    feed.end();
    assert.equal(String((await rest).bytes), ', last');
  });

  it('goes on for the others when the caller who began it hangs up (P-14)', async () => {
    const { fill, feed } = await begin(sha256Of('for the others'), 14);
    const leader = fill.stream();
    feed.send('for ');
    await once(leader, 'data');
    const other = receive((await bench.content.fill(sha256Of('for the others'), 14, notAgain)).stream());
    leader.destroy();
    await once(leader, 'close');
    feed.send('the others');
    feed.end();
    assert.equal(String((await other).bytes), 'for the others');
    await fill.done;
  });

  it('is stored also when everybody has hung up', async () => {
    const { fill, feed } = await begin(sha256Of('kept'), 4);
    fill.stream().destroy();
    feed.send('kept');
    feed.end();
    await fill.done;
    assert.deepEqual(await bench.content.find(sha256Of('kept')), { size: 4 });
  });

  it('lets a reader go at once while the registry stands still', async () => {
    const { fill, feed } = await begin(sha256Of('still'), 5);
    const stream = fill.stream();
    stream.resume();
    stream.destroy();
    await once(stream, 'close');
    feed.cut();
    await assert.rejects(fill.done);
  });

  it('gives a range of what is still to come, and of what is there', async () => {
    const { fill, feed } = await begin(sha256Of('0123456789'), 10);
    const ranges = [
      { first: 0, last: 0 },
      { first: 3, last: 5 },
      { first: 9, last: 9 },
      { first: 4, last: 9 },
    ];
    const readers = ranges.map((range) => receive(fill.stream(range)));
    feed.send('01234');
    feed.send('56789');
    feed.end();
    const texts = (await Promise.all(readers)).map(({ bytes }) => String(bytes));
    assert.deepEqual(texts, ['0', '345', '9', '456789']);
    assert.equal(String((await receive(fill.stream({ first: 1, last: 2 }))).bytes), '12');
  });

  const broken: readonly [string, Digest, number, (feed: Feed) => void, string][] = [
    [
      'is shorter than the manifest says',
      sha256Of('0123456789'),
      10,
      (feed) => {
        feed.send('012345678');
        feed.end();
      },
      'DG_CONTENT_MISMATCH',
    ],
    [
      'is longer than the manifest says',
      sha256Of('0123456789'),
      10,
      (feed) => feed.send('0123456789+'),
      'DG_CONTENT_MISMATCH',
    ],
    [
      'has another digest',
      sha256Of('0123456789'),
      10,
      (feed) => {
        feed.send('012345678');
        feed.send('X');
        feed.end();
      },
      'DG_CONTENT_MISMATCH',
    ],
    [
      'is cut',
      sha256Of('0123456789'),
      10,
      (feed) => {
        feed.send('012345678');
        feed.cut();
      },
      'DG_CONTENT_CUT',
    ],
    [
      'is cut after its last byte, before its end',
      sha256Of('0123456789'),
      10,
      (feed) => {
        feed.send('0123456789');
        // Nothing after this is read: the end never comes.
        setImmediate(() => feed.cut());
      },
      'DG_CONTENT_CUT',
    ],
    [
      'is empty where it must not be',
      sha256Of('0123456789'),
      10,
      (feed) => feed.end(),
      'DG_CONTENT_MISMATCH',
    ],
    ['is empty and has another digest', sha256Of('x'), 0, (feed) => feed.end(), 'DG_CONTENT_MISMATCH'],
  ];
  for (const [what, digest, size, feedIt, code] of broken) {
    it(`breaks every reader before its last byte and keeps nothing when the answer ${what} (P-09, V-21)`, async () => {
      const { fill, feed } = await begin(digest, size);
      const ranges = size > 0 ? [undefined, { first: 0, last: 0 }, { first: 2, last: 8 }] : [undefined];
      const readers = ranges.map((range) => receive(fill.stream(range)));
      feedIt(feed);
      let settledCount = 0;
      for (const reader of readers) void reader.then(() => settledCount++);
      await until(() => settledCount === readers.length);
      for (const [at, received] of (await Promise.all(readers)).entries()) {
        const range = ranges[at];
        assert.ok(received.error, 'the reader saw a whole answer');
        assert.ok(received.bytes.length < (range ? range.last - range.first + 1 : Math.max(1, size)));
      }
      await assert.rejects(fill.done, { code });
      assert.ok((await receive(fill.stream())).error, 'a late reader saw a whole answer');
      await leavesNothing(digest);
    });
  }

  it('hears of a registry that cannot be asked, and asks again for the next caller', async () => {
    const digest = sha256Of('again');
    const refused = bench.content.fill(digest, 5, async () => {
      throw new Error('connect ECONNREFUSED');
    });
    await assert.rejects(refused, { code: 'DG_CONTENT_CUT' });
    await leavesNothing(digest);
    const { fill, feed } = await begin(digest, 5);
    feed.send('again');
    feed.end();
    assert.equal(String((await receive(fill.stream())).bytes), 'again');
  });

  it('keeps apart who states different sizes: a wrong descriptor spoils nobody else', async () => {
    const digest = sha256Of('sized');
    const wrong = await begin(digest, 4);
    const right = await begin(digest, 5);
    for (const { feed } of [wrong, right]) {
      feed.send('sized');
      feed.end();
    }
    const [fromWrong, fromRight] = await Promise.all([
      receive(wrong.fill.stream()),
      receive(right.fill.stream()),
    ]);
    assert.ok(fromWrong.error);
    assert.equal(String(fromRight.bytes), 'sized');
    assert.deepEqual(await bench.content.find(digest), { size: 5 });
  });

  it('is read by who comes after everybody has gone', async () => {
    const { fill, feed } = await begin(sha256Of('late'), 4);
    feed.send('late');
    feed.end();
    await fill.done;
    await until(async () => (await openFilesBelow(bench.directory)).length === 0);
    assert.equal(String((await receive(fill.stream())).bytes), 'late');
    const unread = fill.stream();
    unread.destroy();
    await bench.content.remove(sha256Of('late'));
    assert.ok((await receive(fill.stream())).error);
  });

  it('takes an empty blob, and one of sha512', async () => {
    const wide = digestOf(Buffer.from('wide'), 'sha512');
    for (const [digest, text] of [
      [sha256Of(''), ''],
      [wide, 'wide'],
    ] as const) {
      const { fill, feed } = await begin(digest, text.length);
      const reader = receive(fill.stream());
      if (text) feed.send(text);
      feed.end();
      assert.deepEqual(await reader, { bytes: Buffer.from(text) });
      await fill.done;
      assert.deepEqual(await bench.content.find(digest), { size: text.length });
    }
  });

  it('calls nobody when no file can be made', async () => {
    await rm(join(bench.directory, 'tmp'), { recursive: true });
    await assert.rejects(bench.content.fill(sha256Of('x'), 1, notAgain), { code: 'DG_CONTENT_UNAVAILABLE' });
    await mkdir(join(bench.directory, 'tmp'));
  });

  it('breaks its readers when the disk does not take it, and keeps nothing', async () => {
    const digest = sha256Of('no room');
    // Something lies where the file is to go, and cannot be replaced.
    await mkdir(bench.pathOf(digest), { recursive: true });
    await writeFile(join(bench.pathOf(digest), 'x'), '');
    const { fill, feed } = await begin(digest, 7);
    const reader = receive(fill.stream());
    feed.send('no room');
    feed.end();
    const { error, bytes } = await reader;
    assert.ok(error);
    assert.equal(String(bytes), 'no roo');
    await assert.rejects(fill.done, { code: 'DG_CONTENT_UNAVAILABLE' });
    assert.deepEqual(await bench.unfinished(), []);
    assert.deepEqual(await readdir(dirname(bench.pathOf(digest))), [digest.slice(7)]);
  });

  it('breaks its readers when the disk is full in the middle, and keeps nothing', async () => {
    // The limit of a file's size stands for a full disk: a write takes a part, the next one fails.
    const script = 'trap "" XFSZ; ulimit -f 64; exec "$0" "$1" "$2"';
    const child = join(import.meta.dirname, '../support/full-disk-process.ts');
    const { stdout } = await run('sh', ['-c', script, process.execPath, child, bench.directory]);
    assert.deepEqual(JSON.parse(stdout), {
      reader: 'DG_CONTENT_UNAVAILABLE',
      done: 'DG_CONTENT_UNAVAILABLE',
    });
    assert.deepEqual(await bench.unfinished(), []);
  });

  it('hurries no slow reader: what it has not taken waits on disk, not in memory', async () => {
    const bytes = randomBytes(32 * 1024 * 1024);
    const { fill, feed } = await begin(sha256Of(bytes), bytes.length);
    const slow = fill.stream();
    slow.once('readable', () => {});
    feed.send(bytes);
    feed.end();
    await fill.done;
    await until(() => slow.readableLength > 0);
    assert.ok(slow.readableLength <= 2 * 1024 * 1024, `${slow.readableLength} bytes wait in memory`);
    slow.removeAllListeners('readable');
    assert.ok((await receive(slow)).bytes.equals(bytes));
  });
});

async function notAgain(): Promise<Readable> {
  throw new Error('the registry was asked');
}
