import assert from 'node:assert/strict';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../src/base/index.ts';
import { type Digest, Fault } from '../../src/oci/index.ts';
import type { Scan } from '../../src/policy/index.ts';
import type { ScanJobs, Scanner } from '../../src/verdicts/index.ts';
import { until } from '../cluster/until.ts';
import { digestOf, findingOf, policyOf } from '../policy/fixtures.ts';
import { type BuiltImage, buildImage, buildIndex } from '../support/image.ts';
import { APP, gate, openWorld, scannerThat, scannerThatFinds, type World } from './world.ts';

const AWAY = new Fault('DG_UPSTREAM_UNAVAILABLE', 'UNAVAILABLE', 'the registry is away');

describe('the scan runner', () => {
  let world: World;
  let image: BuiltImage;
  beforeEach(async () => {
    world = await openWorld();
    image = await buildImage();
    await world.push(image);
  });
  afterEach(() => world.close());

  async function scanOf(digest: Digest): Promise<Scan | undefined> {
    return (await world.store.facts.findFacts(digest))?.scans[0];
  }

  /** Lets retries come due. The clock stands still during a scan, whose hold on its job would run out else. */
  async function untilEmpty(): Promise<void> {
    await until(async () => {
      if (!world.isScanning()) world.clock.advance(20 * SECOND_MS);
      return (await world.store.jobs.count()) === 0;
    });
  }

  it('scans what it is asked to, saves the report and tells who waits', async () => {
    const scanner = scannerThatFinds([findingOf()]);
    const runner = world.openRunner([scanner]);
    runner.start();
    await runner.requests.request(APP, image.digest, 'push');
    assert.deepEqual(await runner.requests.wait(image.digest, 10_000), { isDone: true, restMs: 0 });
    const facts = await world.store.facts.findFacts(image.digest);
    assert.equal(facts?.findings[0]?.id, 'CVE-2026-1');
    assert.equal(await world.store.jobs.count(), 0);
  });

  it('offers the scanners it has', () => {
    const runner = world.openRunner([scannerThatFinds()]);
    assert.equal(runner.requests.isOffered('inspector'), true);
    assert.equal(runner.requests.isOffered('*'), true);
    assert.equal(runner.requests.isOffered('trivy'), false);
    assert.equal(world.openRunner([]).requests.isOffered('*'), false);
  });

  it('does not wait for a scan that nobody asked for or that is over', async () => {
    const runner = world.openRunner([scannerThatFinds()]);
    assert.deepEqual(await runner.requests.wait(image.digest, 10_000), { isDone: true, restMs: 0 });
  });

  it('tells who waits here for a scan that another replica does', async () => {
    const asking = world.openRunner([scannerThatFinds()], { isShared: true });
    await asking.requests.request(APP, image.digest, 'pull');
    const waited = asking.requests.wait(image.digest, 60_000);
    const doing = world.openRunner([scannerThatFinds()], { isShared: true });
    doing.start();
    await until(async () => (await world.store.jobs.count()) === 0);
    asking.heard();
    assert.deepEqual(await waited, { isDone: true, restMs: 0 });
  });

  it('says about how long a scan still takes', async () => {
    const runner = world.openRunner([scannerThatFinds()], { concurrency: 1 });
    const others = [digestOf('a'), digestOf('b')];
    for (const digest of others) await runner.requests.request(APP, digest, 'pull');
    const rests = await Promise.all(others.map((digest) => runner.requests.wait(digest, 1)));
    assert.deepEqual(rests, [
      { isDone: false, restMs: 5000 },
      { isDone: false, restMs: 10_000 },
    ]);
  });

  it('believes from a report neither name, version nor time, V-27', async () => {
    const liar = scannerThat(async ({ digest }) => ({
      digest,
      scan: { by: 'trivy', version: '99', atMs: world.clock.nowMs() + 900 * DAY_MS, status: 'done' },
      findings: [],
    }));
    const runner = world.openRunner([liar]);
    runner.start();
    await runner.requests.request(APP, image.digest, 'push');
    await runner.requests.wait(image.digest, 10_000);
    const { by, version, atMs } = (await scanOf(image.digest)) ?? {};
    assert.deepEqual({ by, version, atMs }, { by: 'inspector', version: '1', atMs: world.clock.nowMs() });
  });

  it('does not take a report on another digest, V-27', async () => {
    const other = await buildImage({ config: { user: 'other' } });
    await world.push(other);
    const runner = world.openRunner([
      scannerThat(async () => ({
        digest: other.digest,
        scan: { by: 'inspector', version: '1', atMs: 0, status: 'done' },
        findings: [],
      })),
    ]);
    runner.start();
    await runner.requests.request(APP, image.digest, 'push');
    await untilEmpty();
    assert.equal(await scanOf(other.digest), undefined);
    assert.equal((await scanOf(image.digest))?.status, 'unscannable');
  });

  it('scans an index by queueing its children', async () => {
    const child = await buildImage({ config: { architecture: 'arm64' } });
    const index = buildIndex([image, child]);
    await world.push(child);
    await world.push(index);
    const scanner = scannerThatFinds();
    const runner = world.openRunner([scanner]);
    runner.start();
    await runner.requests.request(APP, index.digest, 'push');
    await until(() => scanner.scanned.length === 2);
    assert.deepEqual(new Set(scanner.scanned), new Set([image.digest, child.digest]));
  });

  it('leaves out what BuildKit hangs beside the images of an index', async () => {
    const attestation = await buildImage({ config: { architecture: 'unknown' } });
    const plain = buildIndex([image, attestation]);
    const document = JSON.parse(Buffer.from(plain.manifest).toString());
    document.manifests[1].annotations = { 'vnd.docker.reference.type': 'attestation-manifest' };
    const manifest = Buffer.from(JSON.stringify(document));
    const index = { ...plain, manifest, digest: digestOf(manifest.toString()) };
    for (const one of [attestation, index]) await world.push(one);
    await world.setPolicies(policyOf({ secrets: 'block' }));
    const scanner = scannerThatFinds();
    const runner = world.openRunner([scanner]);
    runner.start();
    await runner.requests.request(APP, index.digest, 'push');
    await until(async () => scanner.scanned.length > 0 && (await world.store.jobs.count()) === 0);
    assert.deepEqual(scanner.scanned, [image.digest]);
    const verdict = await world.openVerdicts({ scans: runner.requests }).peek(APP, index.digest);
    assert.equal(verdict.outcome, 'allow');
  });

  it('forgets what the repository no longer holds', async () => {
    const runner = world.openRunner([scannerThatFinds()]);
    runner.start();
    await runner.requests.request(APP, digestOf('gone'), 'push');
    assert.equal((await runner.requests.wait(digestOf('gone'), 10_000)).isDone, true);
    assert.equal(await world.store.jobs.count(), 0);
  });

  it('runs every scanner, and only so many scans at once', async () => {
    const ends = gate();
    let runningCount = 0;
    let runningMax = 0;
    const slow = scannerThat(async ({ digest }) => {
      runningMax = Math.max(runningMax, ++runningCount);
      await ends.opened;
      runningCount--;
      return { digest, scan: { by: 'inspector', version: '1', atMs: 0, status: 'done' }, findings: [] };
    });
    const second = scannerThatFinds([], 'second');
    const runner = world.openRunner([slow, second], { concurrency: 2 });
    runner.start();
    const images = await Promise.all(['a', 'b', 'c', 'd'].map((user) => buildImage({ config: { user } })));
    for (const one of images) {
      await world.push(one);
      await runner.requests.request(APP, one.digest, 'push');
    }
    await until(() => runningCount === 2);
    ends.open();
    await until(async () => (await world.store.jobs.count()) === 0);
    assert.equal(runningMax, 2);
    assert.equal(second.scanned.length, 4);
  });

  it('lets pulls overtake, and keeps a place free of re-scans', async () => {
    const ends = gate();
    const begun: Digest[] = [];
    const slow = scannerThat(async ({ digest }) => {
      begun.push(digest);
      await ends.opened;
      return { digest, scan: { by: 'inspector', version: '1', atMs: 0, status: 'done' }, findings: [] };
    });
    const runner = world.openRunner([slow], { concurrency: 2 });
    const images = await Promise.all(['a', 'b', 'c'].map((user) => buildImage({ config: { user } })));
    for (const one of images) {
      await world.push(one);
      await runner.requests.request(APP, one.digest, 'rescan');
    }
    runner.start();
    await until(() => begun.length === 1);
    await runner.requests.request(APP, image.digest, 'pull');
    await until(() => begun.length === 2);
    assert.equal(begun[1], image.digest);
    ends.open();
    await until(async () => (await world.store.jobs.count()) === 0);
  });

  describe("when a scanner's database is newer", () => {
    const images = async () => {
      const all = await Promise.all(['a', 'b', 'c'].map((user) => buildImage({ config: { user } })));
      for (const one of all) await world.push(one);
      return all;
    };

    it('scans all again that it scanned, what was pulled lately first, while the last verdict stands', async () => {
      const all = await images();
      let version = '1';
      const scanner = { ...scannerThatFinds(), currentVersion: async () => version };
      const pulled: Digest[] = [];
      const jobs: ScanJobs = {
        ...world.store.jobs,
        // The clock of this world stands still, and what is queued at one instant has no order.
        async put(job, nowMs) {
          await world.store.jobs.put(job, nowMs);
          world.clock.advance(1);
        },
      };
      const parts = { listPulled: async () => pulled, jobs };
      const runner = world.openRunner([scanner], { concurrency: 1 }, parts);
      for (const { digest } of all) await world.report(digest);
      await runner.queueRescans();
      assert.equal(await world.store.jobs.count(), 0, 'nothing is outdated');
      assert.deepEqual((await runner.requests.status()).scanners, [
        { name: 'inspector', version: '1', scanned: 3, outdated: 0 },
      ]);

      version = '2';
      pulled.push(...all.slice(2).map(({ digest }) => digest));
      world.clock.advance(11 * MINUTE_MS);
      await runner.queueRescans();
      const { queued, scanners } = await runner.requests.status();
      assert.deepEqual([queued, scanners[0]?.outdated], [3, 3]);
      assert.equal((await world.store.facts.findFacts(image.digest))?.scans.length, 0);
      runner.start();
      await until(() => scanner.scanned.length === 3);
      assert.equal(scanner.scanned[0], all[2]?.digest);
    });

    it('says what it is doing, and why a scanner does not say what it is', async () => {
      const ends = gate();
      const away = {
        ...scannerThat(async ({ digest }) => {
          await ends.opened;
          return { digest, scan: { by: 'clamav', version: '1', atMs: 0, status: 'done' }, findings: [] };
        }, 'clamav'),
        currentVersion: () => Promise.reject(AWAY),
      };
      const runner = world.openRunner([away]);
      runner.start();
      await runner.requests.request(APP, image.digest, 'push');
      await until(async () => (await runner.requests.status()).running.length === 1);
      const { running, scanners, queued } = await runner.requests.status();
      assert.deepEqual([running[0]?.digest, queued], [image.digest, 1]);
      assert.deepEqual(scanners, [{ name: 'clamav', problem: AWAY.message, scanned: 0, outdated: 0 }]);
      ends.open();
      await until(async () => (await world.store.jobs.count()) === 0);
    });
  });

  describe('when a scan fails', () => {
    it('tries again after a fault, with pauses, until it succeeds', async () => {
      let tryCount = 0;
      const good = scannerThatFinds();
      const runner = world.openRunner([
        scannerThat((target, signal) => {
          if (++tryCount < 3) return Promise.reject(AWAY);
          return good.scan(target, signal);
        }),
      ]);
      runner.start();
      await runner.requests.request(APP, image.digest, 'pull');
      const waiting = runner.requests.wait(image.digest, 10_000);
      await untilEmpty();
      assert.equal((await waiting).isDone, true);
      assert.equal(tryCount, 3);
      assert.equal((await scanOf(image.digest))?.status, 'done');
    });

    it('lets the other scanners speak while one is away, and asks them once only', async () => {
      let tryCount = 0;
      const away = scannerThat(() => {
        tryCount++;
        return Promise.reject(AWAY);
      }, 'clamav');
      const good = scannerThatFinds([], 'second');
      const runner = world.openRunner([away, good]);
      runner.start();
      await runner.requests.request(APP, image.digest, 'push');
      await untilEmpty();
      assert.equal(tryCount, 4);
      assert.equal(good.scanned.length, 1);
      const scans = (await world.store.facts.findFacts(image.digest))?.scans;
      assert.deepEqual(
        scans?.map(({ by, status }) => [by, status]),
        [['second', 'done']],
      );
    });

    it('leaves an image unscanned, not unscannable, after faults without end, F-45', async () => {
      let tryCount = 0;
      const runner = world.openRunner([
        scannerThat(() => {
          tryCount++;
          return Promise.reject(AWAY);
        }),
      ]);
      runner.start();
      await runner.requests.request(APP, image.digest, 'pull');
      await untilEmpty();
      assert.equal(tryCount, 4);
      assert.equal(await scanOf(image.digest), undefined);
    });

    it('tries again when the content cannot be reached, and says nothing of the image', async () => {
      let tryCount = 0;
      const targets = {
        openTarget: () => {
          tryCount++;
          return Promise.reject(AWAY);
        },
      };
      const runner = world.openRunner([scannerThatFinds()], {}, { targets });
      runner.start();
      await runner.requests.request(APP, image.digest, 'pull');
      await untilEmpty();
      assert.equal(tryCount, 4);
      assert.equal(await scanOf(image.digest), undefined);
    });

    it('keeps the job when its report cannot be saved or its end cannot be noted', async () => {
      const saveReport = () => Promise.reject(AWAY);
      const finish = () => Promise.reject(AWAY);
      const scanner = scannerThatFinds();
      const runner = world.openRunner(
        [scanner],
        {},
        { jobs: { ...world.store.jobs, finish, retry: finish } },
      );
      runner.start();
      await runner.requests.request(APP, image.digest, 'pull');
      const waiting = runner.requests.wait(image.digest, 50);
      await until(() => scanner.scanned.length === 1);
      assert.equal((await waiting).isDone, false);
      assert.equal(await world.store.jobs.count(), 1);
      await runner.close();
      const second = world.openRunner([scanner], {}, { facts: { ...world.store.facts, saveReport } });
      second.start();
      await untilEmpty();
    });

    it('goes on when the queue can be used again', async () => {
      let tryCount = 0;
      const take: typeof world.store.jobs.take = (...args) =>
        ++tryCount < 3 ? Promise.reject(AWAY) : world.store.jobs.take(...args);
      const scanner = scannerThatFinds();
      const runner = world.openRunner([scanner], {}, { jobs: { ...world.store.jobs, take } });
      runner.start();
      await runner.requests.request(APP, image.digest, 'pull');
      await until(() => scanner.scanned.length === 1);
    });

    it('calls an image unscannable at which the scanner itself fails every time, V-42', async () => {
      const runner = world.openRunner([scannerThat(() => Promise.reject(new Error('token=secret')))]);
      runner.start();
      await runner.requests.request(APP, image.digest, 'pull');
      await untilEmpty();
      const scan = await scanOf(image.digest);
      assert.equal(scan?.status, 'unscannable');
      assert.equal(scan?.reason, 'the scanner failed at it');
    });

    it('calls an image unscannable whose scan takes too long every time, V-42', async () => {
      const deaf: Scanner = scannerThat(() => new Promise(() => {}));
      const runner = world.openRunner([deaf], { scanMsMax: 20 });
      runner.start();
      await runner.requests.request(APP, image.digest, 'pull');
      await untilEmpty();
      assert.equal((await scanOf(image.digest))?.reason, 'the scan took too long');
    });

    it('calls an image unscannable over which the process died again and again', async () => {
      const { jobs } = world.store;
      await jobs.put({ repository: APP, digest: image.digest, priority: 'pull' }, world.clock.nowMs());
      for (let death = 0; death < 4; death++) {
        await jobs.take(world.clock.nowMs(), 1000);
        world.clock.advance(1000);
      }
      const scanner = scannerThatFinds();
      world.openRunner([scanner]).start();
      await untilEmpty();
      assert.deepEqual(scanner.scanned, []);
      assert.match((await scanOf(image.digest))?.reason ?? '', /broke off 4 times/);
    });
  });

  it('gives its jobs back when it is closed, without counting an attempt', async () => {
    const begun = gate();
    const runner = world.openRunner([
      scannerThat((_target, signal) => {
        begun.open();
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      }),
    ]);
    runner.start();
    await runner.requests.request(APP, image.digest, 'pull');
    await begun.opened;
    const waiting = runner.requests.wait(image.digest, 60_000);
    await runner.close();
    await waiting;
    const job = await world.store.jobs.take(world.clock.nowMs(), 1000);
    assert.equal(job?.digest, image.digest);
    assert.equal(job?.attempts, 0);
  });

  describe('re-scans', () => {
    it('what was scanned longer ago than half of what the strictest policy allows', async () => {
      await world.setPolicies(
        policyOf({ scanned: { by: ['inspector'], withinMs: 14 * DAY_MS } }, { name: 'lax' }),
        policyOf({ scanned: { by: ['inspector'], withinMs: 4 * DAY_MS } }, { name: 'strict' }),
        policyOf({ scanned: { by: ['inspector'], withinMs: 1 * DAY_MS } }, { name: 'none', mode: 'off' }),
      );
      await world.report(image.digest);
      const runner = world.openRunner([scannerThatFinds()]);
      world.clock.advance(2 * DAY_MS);
      await runner.queueRescans();
      assert.equal(await world.store.jobs.count(), 0);
      world.clock.advance(1);
      await runner.queueRescans();
      assert.equal(await world.store.jobs.count(), 1);
    });

    it('nothing that no policy wants scanned', async () => {
      await world.setPolicies(policyOf({ secrets: 'block' }));
      await world.report(image.digest);
      world.clock.advance(400 * DAY_MS);
      await world.openRunner([scannerThatFinds()]).queueRescans();
      assert.equal(await world.store.jobs.count(), 0);
    });

    it('by themselves, so that no scan ever goes stale', async () => {
      await world.setPolicies(policyOf({ scanned: { by: ['inspector'], withinMs: 2 * DAY_MS } }));
      await world.report(image.digest);
      const scanner = scannerThatFinds();
      world.openRunner([scanner]).start();
      world.clock.advance(DAY_MS + MINUTE_MS);
      await until(() => scanner.scanned.includes(image.digest));
    });

    it('not at once again what could not be scanned', async () => {
      await world.setPolicies(policyOf({ scanned: { by: ['inspector'], withinMs: 2 * DAY_MS } }));
      await world.report(image.digest);
      world.clock.advance(2 * DAY_MS);
      const runner = world.openRunner([scannerThatFinds()]);
      await runner.queueRescans();
      await world.store.jobs.finish(image.digest);
      await runner.queueRescans();
      assert.equal(await world.store.jobs.count(), 0);
      world.clock.advance(60 * MINUTE_MS);
      await runner.queueRescans();
      assert.equal(await world.store.jobs.count(), 1);
    });
  });
});
