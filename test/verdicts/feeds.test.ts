import assert from 'node:assert/strict';
import { DAY_MS, HOUR_MS } from '../../src/base/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import type { Verdict } from '../../src/policy/index.ts';
import type { ScanRequests, VerdictMemory } from '../../src/verdicts/index.ts';
import { findingOf, NOW_MS, policyOf } from '../policy/fixtures.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';
import { APP, openWorld, type World } from './world.ts';

const SCANS: Omit<ScanRequests, 'status'> = {
  isOffered: () => true,
  request: async () => {},
  wait: async () => ({ isDone: false, restMs: 0 }),
};
const CATALOG = { revision: 'a', asOfMs: NOW_MS, source: 'kev.json', madeAtMs: NOW_MS };
const OTHER = { cve: 'CVE-2026-9999', addedAtMs: NOW_MS };
const ENTRY = { cve: 'CVE-2026-1', addedAtMs: NOW_MS, dueAtMs: NOW_MS + 21 * DAY_MS };

/** Keeps everything for ever, as a Redis that never forgets. */
function rememberAll(): VerdictMemory {
  const all = new Map<string, Verdict>();
  const keyOf = (digest: Digest, hash: string) => `${digest} ${hash}`;
  return {
    find: async (digest, hash) => all.get(keyOf(digest, hash)),
    keep: async (digest, hash, verdict) => void all.set(keyOf(digest, hash), verdict),
    drop: async () => {},
    distrust: () => {},
  };
}

describe('verdicts that hang on feeds', () => {
  let world: World;
  let image: BuiltImage;
  beforeEach(async () => {
    world = await openWorld();
    image = await buildImage();
    await world.push(image);
    await world.report(image.digest, { findings: [findingOf({ severity: 'low' })] });
    await world.setPolicies(policyOf({ vulnerabilities: { exploited: true, fixableOnly: false } }));
  });
  afterEach(() => world.close());

  for (const [title, memory] of [
    ['in the memory of one process', undefined],
    ['and in a shared memory', rememberAll()],
  ] as const) {
    it(`are others at once when the catalog has a new entry, remembered ${title}`, async () => {
      const verdicts = world.openVerdicts({ scans: SCANS, ...(memory ? { memory } : {}) });
      const peek = async () => verdicts.peek(APP, image.digest);
      assert.match((await peek()).reasons[0]?.text ?? '', /there is no KEV catalog/);
      await world.store.feeds.replaceFeed('kev', CATALOG, [[OTHER]]);
      assert.equal((await peek()).outcome, 'allow');
      await world.store.feeds.replaceFeed('kev', { ...CATALOG, revision: 'b' }, [[OTHER, ENTRY]]);
      const blocked = await peek();
      assert.equal(blocked.outcome, 'block');
      assert.deepEqual(
        blocked.reasons[0]?.findings.map((one) => [one.id, one.exploitedSinceMs, one.dueAtMs]),
        [['CVE-2026-1', NOW_MS, NOW_MS + 21 * DAY_MS]],
      );
    });
  }

  it('end when the feed gets too old, and are back when its source confirms it', async () => {
    const verdicts = world.openVerdicts({ scans: SCANS });
    const outcome = async () => (await verdicts.peek(APP, image.digest)).outcome;
    await world.store.feeds.replaceFeed('kev', CATALOG, [[OTHER]]);
    world.clock.advance(7 * DAY_MS - HOUR_MS);
    assert.equal(await outcome(), 'allow');
    world.clock.advance(HOUR_MS);
    assert.equal(await outcome(), 'block');
    await world.store.feeds.confirmFeed('kev', world.clock.nowMs());
    assert.equal(await outcome(), 'allow');
  });
});
