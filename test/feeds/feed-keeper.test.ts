import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  createManualClock,
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  silentLogger,
  systemRandom,
} from '../../src/base/index.ts';
import { createFeedKeeper, type FeedFetch, type FeedSettings } from '../../src/feeds/index.ts';
import { openStoreWrites, type StoreWrites } from '../../src/store/index.ts';
import { NOW_MS } from '../policy/fixtures.ts';
import { EPSS, epssOf, KEV, kevOf } from './documents.ts';

const ADDRESS = 'https://feeds.test/list';

describe('feeds that are kept up to date', () => {
  let directory: string;
  let store: StoreWrites;
  const clock = createManualClock(NOW_MS);
  /** What the address answers; each question of it. */
  let answer: Awaited<ReturnType<FeedFetch>> | Error;
  let asked: Readonly<Record<string, string>>[];

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dockgate-feeds-'));
    const base = { clock, random: systemRandom, logger: silentLogger };
    store = await openStoreWrites(
      { directory: join(directory, 'data') },
      { ...base, publish: async () => {} },
    );
    asked = [];
  });
  afterEach(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });

  const keeperOf = (sources: FeedSettings['sources']) =>
    createFeedKeeper(
      { sources, everyMs: 6 * HOUR_MS },
      {
        ...{ reads: store.facts, writes: store.feeds, clock, logger: silentLogger },
        async fetch(_url, { headers }) {
          asked.push(headers);
          if (answer instanceof Error) throw answer;
          return answer;
        },
      },
    );
  const answers = (body: string | Uint8Array, headers: Record<string, string> = {}, status = 200) => {
    answer = { status, headers, body: Buffer.from(body) };
  };
  const kept = async (name: 'epss' | 'kev') =>
    (await store.facts.listFeeds()).find((feed) => feed.name === name);
  const problemOf = async (name: 'epss' | 'kev') => (await kept(name))?.tried?.problem ?? '';
  const write = (name: string, data: string | Uint8Array) => {
    const path = join(directory, name);
    writeFileSync(path, data);
    return path;
  };

  it('come from files, packed or plain, and are of the day that they say', async () => {
    const sources = { epss: write('epss.csv.gz', gzipSync(EPSS)), kev: write('kev.json', KEV) };
    await keeperOf(sources).refreshDue();
    const [epss, kev] = await store.facts.listFeeds();
    assert.deepEqual([epss?.content?.entries, epss?.content?.asOfMs], [2, Date.UTC(2026, 4, 31)]);
    assert.deepEqual([kev?.content?.entries, kev?.content?.asOfMs], [1, Date.UTC(2026, 4, 30, 17)]);
    assert.deepEqual(kev?.tried, { atMs: clock.nowMs() });
  });

  it('are asked for with what the answer before said of itself, and confirmed by "not modified"', async () => {
    const keeper = keeperOf({ kev: ADDRESS });
    answers(KEV, { etag: '"1"', 'last-modified': 'Sat, 30 May 2026 17:00:00 GMT' });
    await keeper.refreshAll();
    assert.equal((await kept('kev'))?.content?.asOfMs, clock.nowMs());
    clock.advance(DAY_MS);
    answers('', {}, 304);
    await keeper.refreshAll();
    assert.deepEqual(asked, [
      {},
      { 'if-none-match': '"1"', 'if-modified-since': 'Sat, 30 May 2026 17:00:00 GMT' },
    ]);
    assert.equal((await kept('kev'))?.content?.asOfMs, clock.nowMs());
    assert.equal((await kept('kev'))?.content?.entries, 1);
  });

  it('of scores do not get younger by an old list that is offered for ever', async () => {
    const keeper = keeperOf({ epss: ADDRESS });
    answers(EPSS, { etag: '"1"' });
    await keeper.refreshAll();
    clock.advance(DAY_MS);
    answers('', {}, 304);
    await keeper.refreshAll();
    assert.equal((await kept('epss'))?.content?.asOfMs, Date.UTC(2026, 4, 31));
  });

  it('are looked for at their time, sooner where the last look failed, and at once at a new place', async () => {
    const keeper = keeperOf({ kev: ADDRESS });
    answer = new Error('away');
    await keeper.refreshDue();
    await keeper.refreshDue();
    assert.equal(asked.length, 1);
    assert.match(await problemOf('kev'), /feeds\.test\/list cannot be read: away$/);
    clock.advance(10 * MINUTE_MS);
    answers(KEV);
    await keeper.refreshDue();
    assert.equal(await problemOf('kev'), '');
    clock.advance(6 * HOUR_MS - 1);
    await keeper.refreshDue();
    assert.equal(asked.length, 2);
    clock.advance(1);
    await keeper.refreshDue();
    assert.equal(asked.length, 3);
    await keeperOf({ kev: `${ADDRESS}/other` }).refreshDue();
    assert.equal(asked.length, 4);
  });

  const bomb = gzipSync(Buffer.alloc(129 * 1024 * 1024));
  for (const [title, body, problem] of [
    ['an answer that is no catalog', '<html>sign in</html>', /is no JSON$/],
    ['a packed answer that was cut', gzipSync(KEV).subarray(0, -10), /cannot be unpacked/],
    ['an answer of 130 MiB in 128 KiB', bomb, /is larger than 32 MiB, or than 128 MiB unpacked$/],
    ['an answer that is too large', Buffer.alloc(32 * 1024 * 1024 + 1), /is larger than 32 MiB/],
    [
      'a catalog older than the one in force',
      kevOf(['CVE-2026-1001', 'CVE-2026-1002', 'CVE-2026-1003'], '2026-05-29T17:00:00Z'),
      /is of 2026-05-29T17:00:00\.000Z, older than what is in force/,
    ],
    [
      'a catalog of which most is missing',
      kevOf(['CVE-2026-1001'], '2026-05-31T17:00:00Z'),
      /has 1 entries, and the one before had 3: it was cut/,
    ],
    [
      'a catalog of the far future',
      kevOf(['CVE-2026-1001', 'CVE-2026-1002', 'CVE-2026-1003'], '2030-05-31T17:00:00Z'),
      /is of the future: 2030-05-31/,
    ],
  ] as const) {
    it(`stay in force as they were against ${title}`, async () => {
      const keeper = keeperOf({ kev: ADDRESS });
      answers(kevOf(['CVE-2026-1001', 'CVE-2026-1002', 'CVE-2026-1003']));
      await keeper.refreshAll();
      const before = (await kept('kev'))?.content;
      assert.equal(before?.entries, 3);
      answers(body);
      await keeper.refreshAll();
      assert.match(await problemOf('kev'), problem);
      assert.deepEqual((await kept('kev'))?.content, before);
    });
  }

  it('stay in force against an answer that is none, also where it claims that nothing has changed', async () => {
    const keeper = keeperOf({ kev: ADDRESS });
    for (const status of [304, 404, 500, 206]) {
      answers(KEV, {}, status);
      await keeper.refreshAll();
      assert.match(await problemOf('kev'), new RegExp(`answered ${status}$`));
    }
    assert.equal((await kept('kev'))?.content, undefined);
  });

  it('may be smaller and older where they come from another place', async () => {
    answers(
      epssOf(Array.from({ length: 9 }, (_, at) => ({ cve: `CVE-2026-100${at}`, score: 0, percentile: 0 }))),
    );
    await keeperOf({ epss: ADDRESS }).refreshAll();
    const older = epssOf([{ cve: 'CVE-2026-1000', score: 1, percentile: 1 }], '2026-05-01');
    await keeperOf({ epss: write('older.csv', older) }).refreshAll();
    assert.equal((await kept('epss'))?.content?.entries, 1);
  });

  it('are told by name where their file cannot be read', async () => {
    await keeperOf({ epss: join(directory, 'none.csv') }).refreshDue();
    assert.match(await problemOf('epss'), /none\.csv cannot be read: ENOENT/);
  });
});
