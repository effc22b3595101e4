import assert from 'node:assert/strict';
import type { ScanPriority } from '../../src/verdicts/index.ts';
import { digestOf, type OpenStore, repository, withStore } from './store-bench.ts';

const APP = repository('team/app');
const LEASE_MS = 60_000;

/** What every implementation of ScanJobs does. */
export function jobsContract(implementation: string, open: OpenStore): void {
  describe(`the scan queue in ${implementation}`, () => {
    const bench = withStore(open);
    const jobs = () => bench().store.jobs;
    const put = (name: string, priority: ScanPriority, nowMs: number, where = APP) =>
      jobs().put({ repository: where, digest: digestOf(name), priority }, nowMs);
    const take = (nowMs: number) => jobs().take(nowMs, LEASE_MS);

    it('gives the most urgent first, of equals the oldest', async () => {
      await put('rescan', 'rescan', 1);
      await put('push', 'push', 2);
      await put('late', 'pull', 4);
      await put('early', 'pull', 3);
      const order = [];
      for (let job = await take(10); job; job = await take(10)) order.push(job.digest);
      assert.deepEqual(order, ['early', 'late', 'push', 'rescan'].map(digestOf));
    });

    it('tells everything about a job', async () => {
      await put('m', 'push', 5);
      assert.deepEqual(await take(7), {
        repository: APP,
        digest: digestOf('m'),
        priority: 'push',
        attempts: 0,
        queuedAtMs: 5,
      });
    });

    it('has one job for a digest, which only becomes more urgent and keeps its place', async () => {
      await put('m', 'rescan', 1);
      await put('n', 'pull', 2);
      await put('m', 'pull', 3, repository('team/other'));
      await put('m', 'rescan', 4);
      assert.equal(await jobs().count(), 2);
      const job = await take(10);
      assert.equal(job?.digest, digestOf('m'));
      assert.equal(job?.priority, 'pull');
      assert.equal(job?.repository, 'team/other');
    });

    it('gives a job to one taker at a time', async () => {
      await put('m', 'pull', 1);
      const [first, second] = await Promise.all([take(2), take(2)]);
      assert.ok(first);
      assert.equal(second, undefined);
      await put('m', 'pull', 3);
      assert.equal(await take(3), undefined);
      assert.equal(await jobs().count(), 1);
    });

    it('gives a job again when its holder died over it, and counts that', async () => {
      await put('m', 'pull', 1);
      await take(1000);
      assert.equal(await take(1000 + LEASE_MS - 1), undefined);
      assert.equal((await take(1000 + LEASE_MS))?.attempts, 1);
    });

    it('lets a holder hold on, or give back at once without an attempt counted', async () => {
      await put('m', 'pull', 1);
      await take(1000);
      await jobs().hold(digestOf('m'), 5000 + LEASE_MS);
      assert.equal(await take(1000 + LEASE_MS), undefined);
      await jobs().hold(digestOf('m'), 0);
      assert.equal((await take(2000))?.attempts, 0);
      await jobs().hold(digestOf('gone'), 9000);
      assert.equal(await jobs().count(), 1);
    });

    it('gives a job that failed back later, with one more attempt counted', async () => {
      await put('m', 'pull', 1);
      await take(2);
      await jobs().retry(digestOf('m'), 500);
      assert.equal(await take(499), undefined);
      assert.equal((await take(500))?.attempts, 1);
    });

    it('says which of some digests wait or are held', async () => {
      await put('m', 'pull', 1);
      await put('n', 'pull', 2);
      await take(3);
      const asked = ['m', 'n', 'o'].map(digestOf);
      assert.deepEqual(new Set(await jobs().among(asked)), new Set(['m', 'n'].map(digestOf)));
      assert.deepEqual(await jobs().among([]), []);
    });

    it('forgets a job that is finished', async () => {
      await put('m', 'pull', 1);
      await take(2);
      await jobs().finish(digestOf('m'));
      assert.equal(await jobs().count(), 0);
      assert.equal(await take(1e15), undefined);
      await jobs().finish(digestOf('m'));
      await jobs().retry(digestOf('m'), 5);
      await put('m', 'push', 9);
      assert.equal((await take(9))?.attempts, 0);
    });
  });
}
