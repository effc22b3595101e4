import assert from 'node:assert/strict';
import { shapeOf } from '../../src/oci/index.ts';
import type { Finding, Policy, Waiver } from '../../src/policy/index.ts';
import type { ScanReport } from '../../src/verdicts/index.ts';
import {
  descriptor,
  digestOf,
  image,
  index as indexOf,
  type OpenStore,
  repository,
  tag,
  withStore,
} from './store-bench.ts';

const APP = repository('team/app');
const OTHER = repository('team/other');

function finding(id: string, overrides: Partial<Finding> = {}): Finding {
  return { kind: 'secret', id, severity: 'high', title: `found ${id}`, by: 'inspector', ...overrides };
}

function report(name: string, findings: readonly Finding[], overrides: Partial<ScanReport> = {}): ScanReport {
  return {
    digest: digestOf(name),
    scan: { by: 'inspector', atMs: 1000, version: '1', status: 'done' },
    findings,
    ...overrides,
  };
}

function policy(name: string, overrides: Partial<Policy> = {}): Policy {
  return { name, match: ['**'], mode: 'enforce', holdMs: 20_000, rules: { secrets: 'block' }, ...overrides };
}

function waiver(id: string, overrides: Partial<Waiver> = {}): Waiver {
  return { id, finding: 'CVE-1', reason: 'not reachable', author: 'id-alice', endsAtMs: 9000, ...overrides };
}

const conflict = (reason: string) => ({
  code: 'DG_STORE_CONFLICT',
  status: reason === 'unknown' ? 404 : 409,
  reason,
});

/** What every implementation of FactReads and FactWrites does. */
export function factsContract(implementation: string, open: OpenStore): void {
  describe(`facts in ${implementation}`, () => {
    const bench = withStore(open);
    const facts = () => bench().store.facts;
    const see = (name: string) => facts().seeDigest(digestOf(name), 'image', 500);
    const link = (
      name: string,
      layers: readonly string[],
      where = APP,
      more: { readonly tags?: readonly string[]; readonly nowMs?: number } = {},
    ) =>
      bench().store.links.linkManifest({
        repository: where,
        digest: digestOf(name),
        size: 1,
        manifest: image(layers),
        tagRights: { mayCreate: true, mayOverwrite: true },
        tags: (more.tags ?? []).map(tag),
        requireContent: false,
        nowMs: more.nowMs ?? 0,
      });
    const findingsOf = async (name: string) => {
      const found = await facts().findFacts(digestOf(name));
      return found?.findings.map(({ id }) => id);
    };

    it('lead from a finding to all by which somebody got it: images, their indexes, their blobs', async () => {
      await see('bad');
      await facts().saveReport(report('bad', [finding('CVE-7')]));
      await link('bad', ['layer-1', 'layer-2']);
      await link('good', ['layer-3']);
      await bench().store.links.linkManifest({
        ...{
          repository: APP,
          digest: digestOf('list'),
          size: 1,
          manifest: indexOf([descriptor('bad'), descriptor('good')]),
        },
        ...{ tagRights: { mayCreate: true, mayOverwrite: true }, tags: [], requireContent: false, nowMs: 0 },
      });
      const exposed = await facts().findExposed({ finding: 'CVE-7' });
      for (const name of ['bad', 'list', 'layer-1', 'layer-2']) {
        assert.ok(exposed.includes(digestOf(name)), name);
      }
      for (const name of ['good', 'layer-3']) assert.equal(exposed.includes(digestOf(name)), false, name);
      assert.deepEqual(await facts().findExposed({ digest: digestOf('bad') }), exposed);
      assert.deepEqual(await facts().findExposed({ finding: 'CVE-8' }), []);
    });

    describe('a digest', () => {
      it('is not known before it is seen, and keeps the first time', async () => {
        assert.equal(await facts().findFacts(digestOf('m')), undefined);
        await facts().seeDigest(digestOf('m'), 'artifact', 500);
        await facts().seeDigest(digestOf('m'), 'image', 400);
        assert.deepEqual(await facts().findFacts(digestOf('m')), {
          digest: digestOf('m'),
          kind: 'artifact',
          firstSeenAtMs: 500,
          scans: [],
          findings: [],
        });
      });

      it('keeps the first time when it is removed and pushed again, so that no image gets younger', async () => {
        await link('m', ['a']);
        await see('m');
        await bench().store.links.removeManifest(APP, digestOf('m'));
        await link('m', ['a']);
        await facts().seeDigest(digestOf('m'), 'image', 9000);
        assert.equal((await facts().findFacts(digestOf('m')))?.firstSeenAtMs, 500);
      });
    });

    describe('what is known of a manifest', () => {
      it('is its size, layers and media types as it states them', async () => {
        await link('m', ['a', 'b']);
        await see('m');
        const { sizeBytes, layerCount, mediaTypes } = (await facts().findFacts(digestOf('m'))) ?? {};
        assert.deepEqual([sizeBytes, layerCount], [shapeOf(image(['a', 'b']), 1).sizeBytes, 2]);
        assert.deepEqual(mediaTypes, shapeOf(image(['a', 'b']), 1).mediaTypes);
      });

      it('is when a tag was taken from it, in that repository, until a tag leads to it again', async () => {
        const supersededAtMs = async (name: string, where = APP) =>
          (await facts().findFacts(digestOf(name), where))?.supersededAtMs;
        for (const name of ['m', 'n']) await see(name);
        await link('m', ['a'], APP, { tags: ['latest', 'v1'] });
        await link('m', ['a'], OTHER, { tags: ['latest'] });
        await link('n', ['b'], APP, { tags: ['latest'], nowMs: 50 });
        assert.equal(await supersededAtMs('m'), undefined, 'v1 still leads there');
        await link('n', ['b'], APP, { tags: ['v1'], nowMs: 60 });
        assert.equal(await supersededAtMs('m'), 60);
        assert.equal(await supersededAtMs('m', OTHER), undefined);
        assert.equal(await supersededAtMs('n'), undefined);
        await link('m', ['a'], APP, { tags: ['old'], nowMs: 70 });
        assert.equal(await supersededAtMs('m'), undefined);
      });

      it('is when a tag was taken from the index that lists it', async () => {
        for (const name of ['m', 'other-index']) await see(name);
        await link('m', ['a']);
        const index = (name: string, nowMs: number, children: readonly string[]) =>
          bench().store.links.linkManifest({
            repository: APP,
            digest: digestOf(name),
            size: 1,
            manifest: indexOf(children.map((child) => descriptor(child))),
            tags: [tag('latest')],
            tagRights: { mayCreate: true, mayOverwrite: true },
            requireContent: false,
            nowMs,
          });
        await index('index', 10, ['m']);
        assert.equal((await facts().findFacts(digestOf('m'), APP))?.supersededAtMs, undefined);
        await index('other-index', 20, []);
        assert.equal((await facts().findFacts(digestOf('m'), APP))?.supersededAtMs, 20);
      });
    });

    describe('a denied digest', () => {
      const denied = { digest: digestOf('m'), reason: 'worm', author: 'ann', atMs: 7 };

      it('is listed and known of the manifest until it is denied no longer', async () => {
        await see('m');
        await facts().denyDigest({ ...denied, reason: 'first' });
        await facts().denyDigest(denied);
        assert.deepEqual(await facts().listDenied(), [denied]);
        assert.equal((await facts().findFacts(digestOf('m')))?.denied, 'worm');
        assert.equal(await facts().undenyDigest(digestOf('m')), true);
        assert.equal(await facts().undenyDigest(digestOf('m')), false);
        assert.equal((await facts().findFacts(digestOf('m')))?.denied, undefined);
      });

      it('is known of every manifest that names it as a blob', async () => {
        await link('m', ['a']);
        await see('m');
        await facts().denyDigest({ ...denied, digest: digestOf('a') });
        assert.equal((await facts().findFacts(digestOf('m')))?.denied, 'worm');
      });
    });

    describe('a report', () => {
      it('is found whole', async () => {
        await see('m');
        const whole = finding('CVE-1', {
          kind: 'vulnerability',
          severity: 'critical',
          location: 'usr/lib/x',
          blob: digestOf('a'),
          package: 'openssl',
          installedVersion: '3.0.1',
          fixedVersion: '3.0.2',
          cvss: 9.8,
          publishedAtMs: 33,
        });
        const times = { createdAtMs: 77, baseCreatedAtMs: 66 };
        await facts().saveReport(report('m', [whole, finding('key')], times));
        assert.deepEqual(await facts().findFacts(digestOf('m')), {
          digest: digestOf('m'),
          kind: 'image',
          firstSeenAtMs: 500,
          createdAtMs: 77,
          baseCreatedAtMs: 66,
          scans: [{ by: 'inspector', atMs: 1000, version: '1', status: 'done' }],
          findings: [whole, finding('key')],
        });
      });

      it('replaces the one before of the same scanner and no other', async () => {
        await see('m');
        const trivy = { by: 'trivy', atMs: 1, version: '9', status: 'unscannable', reason: 'no' } as const;
        await facts().saveReport(report('m', [finding('old')], { createdAtMs: 77 }));
        await facts().saveReport(report('m', [finding('cve', { by: 'trivy' })], { scan: trivy }));
        await facts().saveReport(report('m', [finding('new')]));
        const found = await facts().findFacts(digestOf('m'));
        assert.deepEqual(found?.findings.map(({ id }) => id).sort(), ['cve', 'new']);
        assert.deepEqual(found?.scans[1], trivy);
        assert.equal(found?.createdAtMs, 77);
      });

      it('of a digest that was never seen is refused', async () => {
        await assert.rejects(facts().saveReport(report('m', [])), conflict('unknown'));
      });

      it('may hold hostile text and many findings', async () => {
        await see('m');
        const titles = ["'; drop table findings; --", '\u0000', '\u{1f600}', '"'];
        const many = Array.from({ length: 1200 }, (_, at) =>
          finding(`f${at}`, { title: titles[at % titles.length] ?? '' }),
        );
        await facts().saveReport(report('m', many));
        // PostgreSQL has no NUL; another control character stands in its place there.
        const plain = (findings: readonly Finding[] = []) =>
          findings.map((one) => ({ ...one, title: one.title.replaceAll('\0', '\x01') }));
        assert.deepEqual(plain((await facts().findFacts(digestOf('m')))?.findings), plain(many));
      });
    });

    describe('what was found in a blob', () => {
      it('counts for every manifest that names the blob, scanned or not', async () => {
        await link('m', ['shared', 'a']);
        await link('n', ['b', 'shared'], OTHER);
        await link('o', ['c']);
        for (const name of ['m', 'n', 'o']) await see(name);
        await facts().saveReport(
          report('m', [
            finding('key', { blob: digestOf('shared') }),
            finding('virus', { kind: 'malware', blob: digestOf('a') }),
          ]),
        );
        assert.deepEqual(await findingsOf('n'), ['key']);
        assert.deepEqual(await findingsOf('o'), []);
      });

      it('V-18: does not tell a manifest that names it as a layer that lies elsewhere', async () => {
        await link('m', ['shared']);
        const elsewhere = descriptor('shared', { urls: ['https://example.com/shared'] });
        await bench().store.links.linkManifest({
          ...{
            repository: OTHER,
            digest: digestOf('n'),
            size: 1,
            tags: [],
            tagRights: { mayCreate: true, mayOverwrite: true },
            requireContent: false,
            nowMs: 500,
          },
          manifest: image(['b'], { layers: [elsewhere] }),
        });
        for (const name of ['m', 'n']) await see(name);
        await facts().saveReport(report('m', [finding('key', { blob: digestOf('shared') })]));
        assert.deepEqual(await findingsOf('n'), []);
      });

      it('counts for a manifest that comes later', async () => {
        await link('m', ['shared']);
        await see('m');
        await facts().saveReport(report('m', [finding('key', { blob: digestOf('shared') })]));
        await link('n', ['shared']);
        await see('n');
        assert.deepEqual(await findingsOf('n'), ['key']);
      });

      it('counts once when both scans found it', async () => {
        const key = finding('key', { blob: digestOf('shared') });
        for (const name of ['m', 'n']) {
          await link(name, ['shared']);
          await see(name);
          await facts().saveReport(report(name, [key]));
        }
        assert.deepEqual(await findingsOf('n'), ['key']);
      });

      it('counts still when the manifest it was found by is gone', async () => {
        await link('m', ['shared']);
        await link('n', ['shared']);
        for (const name of ['m', 'n']) await see(name);
        await facts().saveReport(report('m', [finding('key', { blob: digestOf('shared') })]));
        await bench().store.links.removeManifest(APP, digestOf('m'));
        assert.deepEqual(await findingsOf('n'), ['key']);
      });

      it('is not overruled by a scan of another manifest that saw the blob as something else', async () => {
        await link('m', ['shared']);
        await link('evil', ['shared']);
        for (const name of ['m', 'evil']) await see(name);
        await facts().saveReport(report('m', [finding('key', { blob: digestOf('shared') })]));
        await facts().saveReport(report('evil', []));
        assert.deepEqual(await findingsOf('m'), ['key']);
        assert.deepEqual(await findingsOf('evil'), ['key']);
      });

      it("is the image's own where a later layer can mend it: packages and file modes", async () => {
        await link('m', ['shared']);
        await link('n', ['shared', 'upgrade']);
        for (const name of ['m', 'n']) await see(name);
        const blob = digestOf('shared');
        await facts().saveReport(
          report('m', [
            finding('CVE-1', { kind: 'vulnerability', blob }),
            finding('CIS-DI-0008', { kind: 'misconfiguration', blob }),
          ]),
        );
        assert.deepEqual(await findingsOf('n'), []);
      });
    });

    describe('policies', () => {
      it('are found as they were put, by name', async () => {
        const strict = policy('strict', {
          match: ['**', '!lab/**'],
          mode: 'warn',
          contact: 'security@example.com',
          rules: { scanned: { by: ['inspector'], withinMs: 1 }, misconfiguration: { checks: ['x'] } },
        });
        await facts().putPolicy(strict, 'api');
        await facts().putPolicy(policy('default'), 'shipped');
        assert.deepEqual(await facts().listPolicies(), [policy('default'), strict]);
        await facts().putPolicy(policy('strict'), 'api');
        assert.deepEqual(await facts().listPolicies(), [policy('default'), policy('strict')]);
      });

      it('of the configuration file are changed by nobody else', async () => {
        const mine = policy('mine', { mode: 'warn' });
        await facts().replaceConfigPolicies([mine]);
        await assert.rejects(facts().putPolicy(policy('mine'), 'api'), conflict('configured'));
        await assert.rejects(facts().removePolicy('mine'), conflict('configured'));
        await facts().putPolicy(policy('mine'), 'shipped');
        assert.deepEqual(await facts().listPolicies(), [mine]);
      });

      it('of the configuration file go when it no longer holds them; others stay', async () => {
        await facts().putPolicy(policy('by-api'), 'api');
        await facts().replaceConfigPolicies([policy('one'), policy('two')]);
        await facts().replaceConfigPolicies([policy('two', { mode: 'off' })]);
        assert.deepEqual(await facts().listPolicies(), [policy('by-api'), policy('two', { mode: 'off' })]);
      });

      it('that ship replace only what shipped, and do not return once they were removed', async () => {
        await facts().putPolicy(policy('default'), 'shipped');
        await facts().putPolicy(policy('default', { holdMs: 1 }), 'shipped');
        assert.deepEqual(await facts().listPolicies(), [policy('default', { holdMs: 1 })]);
        assert.equal(await facts().removePolicy('default'), true);
        assert.equal(await facts().removePolicy('default'), false);
        await facts().putPolicy(policy('default'), 'shipped');
        assert.deepEqual(await facts().listPolicies(), []);
        await facts().putPolicy(policy('default', { mode: 'warn' }), 'api');
        await facts().putPolicy(policy('default'), 'shipped');
        assert.deepEqual(await facts().listPolicies(), [policy('default', { mode: 'warn' })]);
      });

      it('keep every version with its author, and none that is the same again', async () => {
        const strict = policy('p', { holdMs: 1 });
        await facts().putPolicy(policy('p'), 'shipped');
        await facts().putPolicy(policy('p'), 'shipped');
        await facts().putPolicy(strict, 'api', 'ann');
        await facts().removePolicy('p', 'bob');
        const versions = await facts().listPolicyVersions('p');
        assert.deepEqual(
          versions.map(({ version, author, policy: one }) => [version, author, one]),
          [
            [3, 'bob', undefined],
            [2, 'ann', strict],
            [1, 'shipped', policy('p')],
          ],
        );
        assert.deepEqual(await facts().listPolicyVersions('q'), []);
      });

      it('keep that the configuration file no longer has one', async () => {
        await facts().replaceConfigPolicies([policy('mine')]);
        await facts().replaceConfigPolicies([policy('mine')]);
        await facts().replaceConfigPolicies([]);
        const versions = await facts().listPolicyVersions('mine');
        assert.deepEqual(
          versions.map(({ author, policy: one }) => [author, one]),
          [
            ['config', undefined],
            ['config', policy('mine')],
          ],
        );
      });

      it('need a pattern that can be read', async () => {
        for (const match of [[], ['!lab/**'], ['a//b'], ["'; drop table policies; --"]]) {
          await assert.rejects(facts().putPolicy(policy('p', { match }), 'api'), conflict('invalid'));
        }
        await assert.rejects(
          facts().replaceConfigPolicies([policy('good'), policy('bad', { match: [] })]),
          conflict('invalid'),
        );
        assert.deepEqual(await facts().listPolicies(), []);
      });
    });

    describe('waivers', () => {
      it('are found as they were added, ended ones included, and removed by id', async () => {
        const both = [
          waiver('w1', { digest: digestOf('m'), ticket: 'T-1' }),
          waiver('w2', { pattern: 'lab/**', endsAtMs: 1 }),
        ];
        for (const one of both) await facts().addWaiver(one);
        assert.deepEqual(await facts().listWaivers(), both);
        assert.equal(await facts().approveWaiver('w2', 'bob'), true);
        assert.equal(await facts().approveWaiver('w3', 'bob'), false);
        assert.equal((await facts().listWaivers())[1]?.approvedBy, 'bob');
        assert.equal(await facts().removeWaiver('w1'), true);
        assert.equal(await facts().removeWaiver('w1'), false);
        assert.equal((await facts().listWaivers()).length, 1);
      });

      it('are refused with an id that is taken or a pattern that cannot be read', async () => {
        await facts().addWaiver(waiver('w'));
        await assert.rejects(facts().addWaiver(waiver('w')), conflict('taken'));
        await assert.rejects(facts().addWaiver(waiver('x', { pattern: '!a' })), conflict('invalid'));
      });
    });

    describe('the list for re-scans', () => {
      it('has what is older than the instant, oldest first, with a repository that holds it', async () => {
        const scannedAt = async (name: string, atMs: number, by = 'inspector') => {
          await see(name);
          await facts().saveReport(report(name, [], { scan: { by, atMs, version: '1', status: 'done' } }));
        };
        await link('old', ['a'], OTHER);
        await link('old', ['a']);
        await link('older', ['b'], OTHER);
        await link('fresh', ['c']);
        await scannedAt('old', 200);
        await scannedAt('older', 100);
        await scannedAt('fresh', 300);
        await scannedAt('unlinked', 1);
        await scannedAt('fresh', 1, 'trivy');
        const list = (limit = 10) => facts().listScannedBefore('inspector', 300, limit);
        assert.deepEqual(await list(), [
          { repository: OTHER, digest: digestOf('older') },
          { repository: APP, digest: digestOf('old') },
        ]);
        assert.equal((await list(1)).length, 1);
        assert.deepEqual(await facts().listScannedBefore("' or 1=1 --", 300, 10), []);
      });

      it('counts what a scanner scanned, and names what it scanned with another version, of all or of some', async () => {
        const scannedWith = async (name: string, version: string, atMs: number) => {
          await see(name);
          await link(name, [`layer of ${name}`]);
          const scan = { by: 'inspector', atMs, version, status: 'done' } as const;
          await facts().saveReport(report(name, [], { scan }));
        };
        await scannedWith('first', '1', 10);
        await scannedWith('second', '1', 20);
        await scannedWith('third', '2', 30);
        assert.deepEqual(await facts().countScanned('inspector', '2'), { scanned: 3, outdated: 2 });
        assert.deepEqual(await facts().countScanned('grype', '2'), { scanned: 0, outdated: 0 });
        const other = async (asked: { readonly among?: readonly ReturnType<typeof digestOf>[] }) =>
          (await facts().listScannedByOther('inspector', '2', { ...asked, limit: 10 }))
            .map(({ digest }) => digest)
            .toSorted();
        assert.deepEqual(await other({}), [digestOf('first'), digestOf('second')].toSorted());
        assert.deepEqual(await other({ among: [digestOf('second'), digestOf('third')] }), [
          digestOf('second'),
        ]);
        assert.deepEqual(await other({ among: [] }), []);
      });
    });

    describe('a write', () => {
      const published = async (work: Promise<unknown>) => {
        bench().changes.length = 0;
        await work;
        return bench()
          .changes.map(({ topic, key }) => (key === undefined ? topic : `${topic} ${key}`))
          .sort();
      };
      const keys = (...names: readonly string[]) => names.map((name) => `facts ${digestOf(name)}`).sort();

      it('publishes every digest whose facts it changed, those that share a blob included', async () => {
        await link('m', ['shared']);
        await link('n', ['shared']);
        await link('o', ['other']);
        assert.deepEqual(await published(see('m')), keys('m'));
        assert.deepEqual(await published(see('m')), []);
        const found = report('m', [finding('key', { blob: digestOf('shared') })]);
        assert.deepEqual(await published(facts().saveReport(found)), keys('m', 'n'));
        // What is no longer found changes the others too.
        assert.deepEqual(await published(facts().saveReport(report('m', []))), keys('m', 'n'));
        assert.deepEqual(await published(facts().saveReport(report('m', []))), keys('m'));
      });

      it('publishes the whole topic where a blob is shared by very many', async () => {
        for (let at = 0; at < 70; at++) await link(`m${at}`, ['shared']);
        await see('m0');
        const found = report('m0', [finding('key', { blob: digestOf('shared') })]);
        assert.deepEqual(await published(facts().saveReport(found)), ['facts']);
      });

      it('publishes policies for policies and waivers, and nothing where nothing changed', async () => {
        const all = ['policies'];
        assert.deepEqual(await published(facts().putPolicy(policy('p'), 'api')), all);
        assert.deepEqual(await published(facts().putPolicy(policy('p'), 'shipped')), []);
        assert.deepEqual(await published(facts().removePolicy('p')), all);
        assert.deepEqual(await published(facts().removePolicy('p')), []);
        assert.deepEqual(await published(facts().replaceConfigPolicies([])), all);
        assert.deepEqual(await published(facts().addWaiver(waiver('w'))), all);
        assert.deepEqual(await published(facts().removeWaiver('w')), all);
        assert.deepEqual(await published(facts().removeWaiver('w')), []);
      });
    });
  });
}
