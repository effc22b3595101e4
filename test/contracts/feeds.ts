import assert from 'node:assert/strict';
import { digestOf, type OpenStore, withStore } from './store-bench.ts';

const CONTENT = { revision: 'r1', asOfMs: 1000, source: 'https://feeds.test/list', madeAtMs: 900 };
const SCORE = { cve: 'CVE-2026-1', score: 0.42, percentile: 0.97 };
const ENTRY = { cve: 'CVE-2026-1', addedAtMs: 100, dueAtMs: 200 };

/** What every implementation of FeedWrites and of its readers does. */
export function feedsContract(implementation: string, open: OpenStore): void {
  describe(`feeds in ${implementation}`, () => {
    const bench = withStore(open);
    const feeds = () => bench().store.feeds;
    const facts = () => bench().store.facts;
    const kept = async (name: string) => (await facts().listFeeds()).find((feed) => feed.name === name);
    /** What is said of an image with this vulnerability. */
    const told = async (id: string) => {
      await facts().seeDigest(digestOf('m'), 'image', 500);
      await facts().saveReport({
        digest: digestOf('m'),
        scan: { by: 'grype', atMs: 1000, version: '1', status: 'done' },
        findings: [{ kind: 'vulnerability', id, severity: 'low', title: 'a hole', by: 'grype', epss: 0.1 }],
      });
      const found = await facts().findFacts(digestOf('m'), undefined, { feeds: true });
      const [finding] = found?.findings ?? [];
      return {
        feeds: found?.feeds,
        epss: finding?.epss,
        since: finding?.exploitedSinceMs,
        due: finding?.dueAtMs,
      };
    };

    it('are none before they are loaded, which is told as well', async () => {
      assert.deepEqual(await facts().listFeeds(), [{ name: 'epss' }, { name: 'kev' }]);
      assert.deepEqual(await told('CVE-2026-1'), {
        ...{ feeds: {}, epss: 0.1, since: undefined, due: undefined },
      });
    });

    it('say what they know of a finding, and of what state they are', async () => {
      await feeds().replaceFeed('epss', { ...CONTENT, etag: '"a"', lastModified: 'Mon' }, [[SCORE]]);
      await feeds().replaceFeed('kev', { ...CONTENT, revision: 'k1' }, [[ENTRY]]);
      assert.deepEqual(await told('CVE-2026-1'), {
        feeds: { epss: { revision: 'r1', asOfMs: 1000 }, kev: { revision: 'k1', asOfMs: 1000 } },
        ...{ epss: 0.42, since: 100, due: 200 },
      });
      assert.deepEqual((await kept('epss'))?.content, {
        ...{ ...CONTENT, entries: 1, etag: '"a"', lastModified: 'Mon' },
      });
      assert.equal((await told('CVE-2026-2')).epss, 0.1);
      const without = await facts().findFacts(digestOf('m'));
      assert.deepEqual([without?.feeds, without?.findings[0]?.epss], [undefined, 0.1]);
    });

    it('are replaced as a whole, which is told to who remembers verdicts', async () => {
      const many = Array.from({ length: 1203 }, (_, at) => ({ ...SCORE, cve: `CVE-2026-${at}` }));
      await feeds().replaceFeed('epss', CONTENT, [many.slice(0, 1000), many.slice(1000)]);
      assert.equal((await kept('epss'))?.content?.entries, 1203);
      bench().changes.length = 0;
      await feeds().replaceFeed('epss', { ...CONTENT, revision: 'r2' }, [[{ ...SCORE, score: 0.9 }]]);
      assert.deepEqual(bench().changes, [{ topic: 'policies' }]);
      assert.equal((await told('CVE-2026-1')).epss, 0.9);
      assert.equal((await told('CVE-2026-1202')).epss, 0.1);
    });

    it('give everything else of the process its turn while they are written', async () => {
      function* pieces() {
        for (let at = 0; at < 3; at++) yield [{ ...SCORE, cve: `CVE-2026-${at}` }];
      }
      const turn = new Promise((resolve) => setImmediate(resolve));
      const writing = feeds().replaceFeed('epss', CONTENT, pieces());
      const isFirst = Promise.race([turn.then(() => true), writing.then(() => false)]);
      assert.equal(await isFirst, true);
      await writing;
    });

    it('stay as they were when a piece of a new one cannot be had, and the next one is whole', async () => {
      await feeds().replaceFeed('epss', CONTENT, [[SCORE]]);
      function* broken() {
        yield [
          { ...SCORE, score: 0.9 },
          { ...SCORE, cve: 'CVE-2026-2' },
        ];
        throw new Error('cut');
      }
      await assert.rejects(feeds().replaceFeed('epss', { ...CONTENT, revision: 'r2' }, broken()), /cut/);
      assert.equal((await kept('epss'))?.content?.revision, 'r1');
      assert.equal((await told('CVE-2026-1')).epss, 0.42);
      await feeds().replaceFeed('epss', { ...CONTENT, revision: 'r3' }, [[{ ...SCORE, score: 0.5 }]]);
      assert.equal((await told('CVE-2026-1')).epss, 0.5);
      assert.equal((await told('CVE-2026-2')).epss, 0.1);
    });

    it('get younger when their source confirms them, and never older', async () => {
      await feeds().replaceFeed('kev', CONTENT, [[ENTRY]]);
      bench().changes.length = 0;
      await feeds().confirmFeed('kev', 2000);
      await feeds().confirmFeed('kev', 1500);
      assert.equal((await kept('kev'))?.content?.asOfMs, 2000);
      assert.deepEqual(bench().changes, [{ topic: 'policies' }]);
    });

    it('keep what came of the last look at their source', async () => {
      await feeds().noteTry('kev', 5, 'kev.json cannot be read');
      assert.deepEqual(await kept('kev'), {
        name: 'kev',
        tried: { atMs: 5, problem: 'kev.json cannot be read' },
      });
      await feeds().noteTry('kev', 6);
      assert.deepEqual(await kept('kev'), { name: 'kev', tried: { atMs: 6 } });
    });
  });
}
