import assert from 'node:assert/strict';
import { DAY_MS } from '../../src/base/index.ts';
import { type Descriptor, type Digest, MEDIA_TYPES } from '../../src/oci/index.ts';
import type { Verdict } from '../../src/policy/index.ts';
import type { Hold, ManifestReads, ScanRequests, VerdictMemory } from '../../src/verdicts/index.ts';
import { digestOf, findingOf, policyOf, repositoryOf, waiverOf } from '../policy/fixtures.ts';
import { buildArtifact, buildImage, buildIndex } from '../support/image.ts';
import { APP, gate, openWorld, scannerThat, scannerThatFinds, type World } from './world.ts';

const SCANNED = { scanned: { by: ['inspector'], withinMs: 7 * DAY_MS } } as const;
const HIGH = { ...SCANNED, vulnerabilities: { block: 'high', fixableOnly: false } } as const;
const NO_HOLD: Hold = { waitMsMax: 0, principalId: 'ann' };
const HOLD: Hold = { waitMsMax: 10_000, principalId: 'ann' };

function descriptorTo(digest: Digest): Descriptor {
  return { mediaType: MEDIA_TYPES.ociIndex, digest, size: 1, annotations: {}, urls: [] };
}

/** Scans that are asked for and never happen. */
function scansThatNeverEnd(
  offered = ['inspector'],
): Omit<ScanRequests, 'status'> & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    isOffered: (scanner) => offered.includes(scanner),
    request: async (_repository, digest, priority) => void asked.push(`${priority} ${digest}`),
    wait: async () => ({ isDone: false, restMs: 60_000 }),
  };
}

function memoryInProcess(): VerdictMemory & { readonly kept: Map<string, Verdict>; findCount: number } {
  const kept = new Map<string, Verdict>();
  const memory = {
    kept,
    findCount: 0,
    async find(digest: Digest, policyHash: string) {
      memory.findCount++;
      return kept.get(`${digest} ${policyHash}`);
    },
    async keep(digest: Digest, policyHash: string, verdict: Verdict) {
      kept.set(`${digest} ${policyHash}`, verdict);
    },
    async drop(digest: Digest) {
      for (const key of kept.keys()) if (key.startsWith(digest)) kept.delete(key);
    },
    distrust: () => kept.clear(),
  };
  return memory;
}

describe('verdicts', () => {
  let world: World;
  beforeEach(async () => {
    world = await openWorld();
    await world.setPolicies(policyOf(HIGH));
  });
  afterEach(() => world.close());

  describe('on an image', () => {
    it('follow what its scan said, by digest in every repository', async () => {
      const image = await buildImage();
      await world.push(image);
      await world.report(image.digest);
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd() });
      const found = await verdicts.verdictFor(APP, image.digest, NO_HOLD);
      assert.equal(found.verdict.outcome, 'allow');
      assert.equal(found.restMs, 0);
      assert.equal((await verdicts.peek(repositoryOf('other/app'), image.digest)).outcome, 'allow');
    });

    it('flip at once when a scan, a policy or a waiver says otherwise, V-22, V-24', async () => {
      const image = await buildImage();
      await world.push(image);
      await world.report(image.digest);
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd(), memory: memoryInProcess() });
      const outcome = async () => (await verdicts.verdictFor(APP, image.digest, NO_HOLD)).verdict.outcome;
      assert.equal(await outcome(), 'allow');
      await world.report(image.digest, { findings: [findingOf()] });
      assert.equal(await outcome(), 'block');
      await world.store.facts.addWaiver(waiverOf({ digest: image.digest }));
      assert.equal(await outcome(), 'allow');
      await world.store.facts.removeWaiver('w1');
      assert.equal(await outcome(), 'block');
      await world.setPolicies(policyOf(SCANNED));
      assert.equal(await outcome(), 'allow');
      await world.setPolicies();
      assert.equal(await outcome(), 'block');
    });

    it('do not outlive the instant at which time alone changes them', async () => {
      const image = await buildImage();
      await world.push(image);
      await world.report(image.digest);
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd(), memory: memoryInProcess() });
      assert.equal((await verdicts.peek(APP, image.digest)).outcome, 'allow');
      world.clock.advance(7 * DAY_MS - 1);
      assert.equal((await verdicts.peek(APP, image.digest)).outcome, 'allow');
      world.clock.advance(1);
      assert.equal((await verdicts.peek(APP, image.digest)).outcome, 'unscanned');
    });

    it('are read once and then remembered', async () => {
      const image = await buildImage();
      await world.push(image);
      await world.report(image.digest);
      const { findFacts } = world.store.facts;
      let readCount = 0;
      const counted = (digest: Digest) => {
        readCount++;
        return findFacts(digest);
      };
      const facts = { ...world.store.facts, findFacts: counted };
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd(), facts });
      await Promise.all([1, 2, 3].map(() => verdicts.peek(APP, image.digest)));
      await verdicts.peek(APP, image.digest);
      assert.equal(readCount, 1);
      world.changes.lose();
      await verdicts.peek(APP, image.digest);
      assert.equal(readCount, 2);
      world.changes.publish({ topic: 'facts' });
      await verdicts.peek(APP, image.digest);
      assert.equal(readCount, 3);
    });

    it('fail closed when the facts cannot be read', async () => {
      const facts = { ...world.store.facts, findFacts: () => Promise.reject(new Error('disk')) };
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd(), facts });
      await assert.rejects(verdicts.verdictFor(APP, digestOf('x'), NO_HOLD));
      await assert.rejects(verdicts.peek(APP, digestOf('x')));
    });
  });

  describe('in the shared memory', () => {
    it('are kept when they decide, and used by the next process', async () => {
      const image = await buildImage();
      await world.push(image);
      await world.report(image.digest);
      const memory = memoryInProcess();
      await world.openVerdicts({ scans: scansThatNeverEnd(), memory }).peek(APP, image.digest);
      assert.equal(memory.kept.size, 1);
      const facts = { ...world.store.facts, findFacts: () => Promise.reject(new Error('not needed')) };
      const other = world.openVerdicts({ scans: scansThatNeverEnd(), memory, facts });
      assert.equal((await other.peek(APP, image.digest)).outcome, 'allow');
    });

    it('are not kept while a scan is missing, nor when a scanner does not run here', async () => {
      const memory = memoryInProcess();
      for (const offered of [['inspector'], []]) {
        const verdicts = world.openVerdicts({ scans: scansThatNeverEnd(offered), memory });
        await verdicts.peek(APP, digestOf('never scanned'));
      }
      assert.equal(memory.kept.size, 0);
    });

    it('are not believed on another digest or after their time', async () => {
      const image = await buildImage();
      await world.push(image);
      await world.report(image.digest, { findings: [findingOf()] });
      const verdicts = world.openVerdicts({
        scans: scansThatNeverEnd(),
        memory: {
          ...memoryInProcess(),
          find: async () => ({
            digest: digestOf('another'),
            outcome: 'allow',
            reasons: [],
            warnings: [],
            validUntilMs: Number.MAX_SAFE_INTEGER,
            holdMs: 0,
          }),
        },
      });
      assert.equal((await verdicts.peek(APP, image.digest)).outcome, 'block');
    });
  });

  describe('while a scan is missing', () => {
    it('ask for it and say when to come back', async () => {
      const scans = scansThatNeverEnd();
      const verdicts = world.openVerdicts({ scans });
      const digest = digestOf('never seen');
      const found = await verdicts.verdictFor(APP, digest, { ...HOLD, waitMsMax: 1 });
      assert.equal(found.verdict.outcome, 'unscanned');
      assert.equal(found.restMs, 15_000);
      assert.deepEqual(scans.asked, [`pull ${digest}`]);
    });

    it('hold the pull and serve it when the scan admits it, V-39', async () => {
      const image = await buildImage();
      await world.push(image);
      const runner = world.openRunner([scannerThatFinds()]);
      runner.start();
      const verdicts = world.openVerdicts({ scans: runner.requests });
      assert.equal((await verdicts.verdictFor(APP, image.digest, HOLD)).verdict.outcome, 'allow');
    });

    it('refuse it when the scan finds what blocks', async () => {
      const image = await buildImage();
      await world.push(image);
      const runner = world.openRunner([scannerThatFinds([findingOf()])]);
      runner.start();
      const verdicts = world.openVerdicts({ scans: runner.requests });
      assert.equal((await verdicts.verdictFor(APP, image.digest, HOLD)).verdict.outcome, 'block');
    });

    it('re-scan what was scanned too long ago before they serve it', async () => {
      const image = await buildImage();
      await world.push(image);
      await world.report(image.digest);
      world.clock.advance(8 * DAY_MS);
      const scanner = scannerThatFinds();
      const runner = world.openRunner([scanner]);
      runner.start();
      const verdicts = world.openVerdicts({ scans: runner.requests });
      assert.equal((await verdicts.verdictFor(APP, image.digest, HOLD)).verdict.outcome, 'allow');
      assert.deepEqual(scanner.scanned, [image.digest]);
    });

    it('hold no longer than the policy says', async () => {
      const image = await buildImage();
      await world.push(image);
      await world.setPolicies(policyOf(HIGH, { holdMs: 30 }));
      const runner = world.openRunner([scannerThat(() => new Promise(() => {}))]);
      runner.start();
      const verdicts = world.openVerdicts({ scans: runner.requests });
      const found = await verdicts.verdictFor(APP, image.digest, { ...HOLD, waitMsMax: 60_000 });
      assert.equal(found.verdict.outcome, 'unscanned');
      assert.ok(found.restMs >= 2000 && found.restMs <= 15_000);
    });

    it('stop waiting when the client has gone', async () => {
      const image = await buildImage();
      await world.push(image);
      const runner = world.openRunner([scannerThat(() => new Promise(() => {}))]);
      runner.start();
      const verdicts = world.openVerdicts({ scans: runner.requests });
      const client = new AbortController();
      const held = verdicts.verdictFor(APP, image.digest, { ...HOLD, signal: client.signal });
      client.abort();
      assert.equal((await held).verdict.outcome, 'unscanned');
      const late = await verdicts.verdictFor(APP, image.digest, { ...HOLD, signal: client.signal });
      assert.equal(late.verdict.outcome, 'unscanned');
    });

    it('give up when scans end without making anything known', async () => {
      const runner = world.openRunner([scannerThatFinds()]);
      runner.start();
      const verdicts = world.openVerdicts({ scans: runner.requests });
      const found = await verdicts.verdictFor(APP, digestOf('gone'), HOLD);
      assert.equal(found.verdict.outcome, 'unscanned');
      assert.equal(found.restMs, 2000);
    });

    it('hold only so many pulls, and only so many of one principal', async () => {
      const ends = gate();
      const scans: Omit<ScanRequests, 'status'> = {
        ...scansThatNeverEnd(),
        wait: async (_digest, waitMsMax) => {
          if (waitMsMax > 0) await ends.opened;
          return { isDone: false, restMs: 5000 };
        },
      };
      const verdicts = world.openVerdicts({ scans }, { heldMax: 3, heldPerPrincipalMax: 2 });
      const pull = (principalId: string) => verdicts.verdictFor(APP, digestOf('x'), { ...HOLD, principalId });
      const held = [pull('ann'), pull('ann'), pull('bob')];
      assert.equal((await pull('ann')).verdict.outcome, 'unscanned');
      assert.equal((await pull('cid')).restMs, 5000);
      ends.open();
      await Promise.all(held);
    });

    it('fail closed when no scan can be asked for', async () => {
      const scans = { ...scansThatNeverEnd(), request: () => Promise.reject(new Error('away')) };
      const verdicts = world.openVerdicts({ scans });
      await assert.rejects(verdicts.verdictFor(APP, digestOf('x'), HOLD));
    });

    it('refuse at once when the scanner does not run here, V-28', async () => {
      const scans = scansThatNeverEnd([]);
      const verdicts = world.openVerdicts({ scans });
      const { verdict } = await verdicts.verdictFor(APP, digestOf('x'), HOLD);
      assert.equal(verdict.outcome, 'block');
      assert.equal(verdict.reasons[0]?.text, 'scanner inspector is not running here');
      assert.deepEqual(scans.asked, []);
    });

    it('serve at once where the policy only warns, and have it scanned meanwhile', async () => {
      await world.setPolicies(policyOf(HIGH, { mode: 'warn' }));
      const scans = scansThatNeverEnd();
      const verdicts = world.openVerdicts({ scans });
      const { verdict } = await verdicts.verdictFor(APP, digestOf('x'), HOLD);
      assert.equal(verdict.outcome, 'allow');
      assert.equal(verdict.warnings.length, 1);
      assert.deepEqual(scans.asked, [`push ${digestOf('x')}`]);
    });
  });

  it('that only warn are given although no scan can be asked for', async () => {
    await world.setPolicies(policyOf(HIGH, { mode: 'warn' }));
    const scans = { ...scansThatNeverEnd(), request: () => Promise.reject(new Error('away')) };
    const { verdict } = await world.openVerdicts({ scans }).verdictFor(APP, digestOf('x'), HOLD);
    assert.equal(verdict.outcome, 'allow');
  });

  it('are all forgotten when a change names what is no digest', async () => {
    const memory = memoryInProcess();
    const verdicts = world.openVerdicts({ scans: scansThatNeverEnd(), memory });
    const image = await buildImage();
    await world.push(image);
    await world.report(image.digest);
    await verdicts.peek(APP, image.digest);
    assert.equal(memory.kept.size, 1);
    world.changes.publish({ topic: 'facts', key: 'something' });
    assert.equal(memory.kept.size, 0);
  });

  describe('on an index', () => {
    it('admit it by one admitted child, and each child on its own, V-06', async () => {
      const good = await buildImage({ config: { architecture: 'arm64' } });
      const bad = await buildImage();
      const index = buildIndex([bad, good]);
      for (const one of [good, bad, index]) await world.push(one);
      await world.report(bad.digest, { findings: [findingOf()] });
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd() });
      assert.equal((await verdicts.peek(APP, index.digest)).outcome, 'unscanned');
      await world.report(good.digest);
      assert.equal((await verdicts.peek(APP, index.digest)).outcome, 'allow');
      assert.equal((await verdicts.peek(APP, bad.digest)).outcome, 'block');
      await world.report(good.digest, { findings: [findingOf()] });
      assert.equal((await verdicts.peek(APP, index.digest)).outcome, 'block');
    });

    it('count only children that are in this repository', async () => {
      const child = await buildImage();
      const index = buildIndex([child]);
      await world.push(index);
      await world.push(child, repositoryOf('other/app'));
      await world.report(child.digest);
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd() });
      assert.equal((await verdicts.peek(APP, index.digest)).outcome, 'block');
      await world.push(child);
      assert.equal((await verdicts.peek(APP, index.digest)).outcome, 'allow');
      await world.store.links.removeManifest(APP, child.digest);
      assert.equal((await verdicts.peek(APP, index.digest)).outcome, 'block');
    });

    it('wait for the first child that is admitted', async () => {
      const children = await Promise.all(
        ['amd64', 'arm64', 's390x'].map((architecture) => buildImage({ config: { architecture } })),
      );
      const index = buildIndex(children);
      for (const one of [...children, index]) await world.push(one);
      const [first, second] = children;
      const runner = world.openRunner([
        scannerThat(async ({ digest }) => {
          const status = digest === first?.digest ? 'unscannable' : 'done';
          // The third never ends.
          if (digest !== first?.digest && digest !== second?.digest) await new Promise(() => {});
          return { digest, scan: { by: 'inspector', atMs: 0, version: '1', status }, findings: [] };
        }),
      ]);
      runner.start();
      const verdicts = world.openVerdicts({ scans: runner.requests });
      assert.equal((await verdicts.verdictFor(APP, index.digest, HOLD)).verdict.outcome, 'allow');
    });

    it('do not look deeper than four levels, V-07', async () => {
      const image = await buildImage();
      await world.push(image);
      await world.report(image.digest);
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd() });
      let inner: { digest: Digest; manifest: Uint8Array; mediaType: string } = image;
      const outcomes: string[] = [];
      for (let depth = 1; depth <= 6; depth++) {
        const index = buildIndex([{ ...image, ...inner }]);
        await world.push(index);
        outcomes.push((await verdicts.peek(APP, index.digest)).outcome);
        inner = index;
      }
      assert.deepEqual(outcomes, ['allow', 'allow', 'allow', 'allow', 'block', 'block']);
    });

    it('look at each manifest once, however many name it, and at no more than 2000, V-07', async () => {
      const children = 40;
      const shapes = new Map<string, readonly string[]>();
      const level = (name: string, below: readonly string[]): readonly string[] =>
        Array.from({ length: children }, (_, index) => {
          shapes.set(`${name}${index}`, below);
          return `${name}${index}`;
        });
      const all = level('a', level('b', level('c', [])));
      shapes.set('top', all);
      let asked = 0;
      const findManifestShape: ManifestReads['findManifestShape'] = async (_repository, digest) => {
        asked += 1;
        const name = [...shapes.keys()].find((each) => digestOf(each) === digest);
        const below = name === undefined ? undefined : shapes.get(name);
        return below && { kind: 'index', children: below.map((each) => descriptorTo(digestOf(each))) };
      };
      const manifests = { findManifestShape, manifestsNaming: async () => [] };
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd(), manifests });
      assert.equal((await verdicts.peek(APP, digestOf('top'))).outcome, 'block');
      assert.equal(asked, 1 + 3 * children);

      shapes.set(
        'wide',
        Array.from({ length: 3000 }, (_, index) => `none${index}`),
      );
      asked = 0;
      assert.equal((await verdicts.peek(APP, digestOf('wide'))).outcome, 'block');
      assert.equal(asked, 1 + 2000);
    });

    it('do not admit it by an attestation alone', async () => {
      const image = await buildImage();
      const attestation = await buildImage({ config: { architecture: 'unknown' } });
      const manifests = [
        { mediaType: image.mediaType, digest: image.digest, size: image.manifest.length },
        {
          mediaType: attestation.mediaType,
          digest: attestation.digest,
          size: attestation.manifest.length,
          annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
        },
      ];
      const plain = buildIndex([image]);
      const manifest = Buffer.from(
        JSON.stringify({ schemaVersion: 2, mediaType: plain.mediaType, manifests }),
      );
      const index = { ...plain, manifest, digest: digestOf(manifest.toString()) };
      for (const one of [image, attestation, index]) await world.push(one);
      await world.report(attestation.digest);
      await world.report(image.digest, { findings: [findingOf()] });
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd() });
      assert.equal((await verdicts.peek(APP, index.digest)).outcome, 'block');
    });
  });

  describe('on a blob', () => {
    it('admit it when any admitted manifest of the repository names it, V-03', async () => {
      const shared = [{ path: 'shared', data: 'x' }];
      const good = await buildImage({ layers: [shared] });
      const bad = await buildImage({ layers: [shared, [{ path: 'bad', data: 'x' }]] });
      for (const one of [good, bad]) await world.push(one);
      await world.report(good.digest);
      await world.report(bad.digest, { findings: [findingOf()] });
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd() });
      const [common, own] = bad.layers;
      assert.ok(common && own);
      assert.deepEqual(await verdicts.admitsBlob(APP, common.digest), {
        isAdmitted: true,
        manifest: good.digest,
      });
      const refused = await verdicts.admitsBlob(APP, own.digest);
      assert.equal(refused.isAdmitted, false);
      assert.equal('verdict' in refused && refused.verdict?.digest, bad.digest);
      const config = await verdicts.admitsBlob(APP, bad.config.digest);
      assert.equal(config.isAdmitted, false, 'V-04');
    });

    it('refuse it where no manifest names it, without a verdict', async () => {
      const image = await buildImage();
      await world.push(image, repositoryOf('other/app'));
      await world.report(image.digest);
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd() });
      assert.deepEqual(await verdicts.admitsBlob(APP, image.config.digest), { isAdmitted: false });
      assert.deepEqual(await verdicts.admitsBlob(APP, image.digest), { isAdmitted: false });
    });

    it('admit one that waits for its manifest only where every policy warns, and one does', async () => {
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd() });
      const [strict, advice] = [policyOf(SCANNED), policyOf(SCANNED, { name: 'advice', mode: 'warn' })];
      const off = policyOf(SCANNED, { name: 'off', mode: 'off' });
      const elsewhere = policyOf(SCANNED, { match: ['other/**'] });
      const cases = [
        [[strict], false],
        [[advice], true],
        [[strict, advice], false],
        [[off], false],
        [[off, advice], true],
        [[elsewhere, advice], true],
        [[elsewhere], false],
        [[], false],
      ] as const;
      for (const [policies, isAdmitted] of cases) {
        await world.setPolicies(...policies);
        const named = policies.map(({ name, mode }) => `${name} ${mode}`).join(', ');
        assert.equal(await verdicts.admitsPending(APP), isAdmitted, named);
      }
    });

    it('refuse it while the manifest that names it is unscanned', async () => {
      const image = await buildImage();
      await world.push(image);
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd() });
      const refused = await verdicts.admitsBlob(APP, image.config.digest);
      assert.equal('verdict' in refused && refused.verdict?.outcome, 'unscanned');
    });

    it('are those of every manifest that names it, once a secret was found in it', async () => {
      await world.setPolicies(policyOf({ ...SCANNED, secrets: 'block' }));
      const layer = [{ path: 'key', data: 'secret' }];
      const first = await buildImage({ layers: [layer] });
      const artifact = buildArtifact({
        artifactType: 'application/vnd.test',
        blobs: first.layers.map(({ bytes }) => ({ bytes, mediaType: 'application/octet-stream' })),
      });
      for (const one of [first, artifact]) await world.push(one);
      await world.report(artifact.digest);
      const verdicts = world.openVerdicts({ scans: scansThatNeverEnd() });
      const [blob] = first.layers;
      assert.ok(blob);
      assert.equal((await verdicts.admitsBlob(APP, blob.digest)).isAdmitted, true);
      await world.report(first.digest, { findings: [findingOf({ kind: 'secret', blob: blob.digest })] });
      assert.equal((await verdicts.admitsBlob(APP, blob.digest)).isAdmitted, false);
    });
  });
});
