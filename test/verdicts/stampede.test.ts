import assert from 'node:assert/strict';
import { DAY_MS } from '../../src/base/index.ts';
import { policyOf } from '../policy/fixtures.ts';
import { buildImage } from '../support/image.ts';
import { APP, openWorld, scannerThatFinds, type World } from './world.ts';

const PULLS = 10_000;

describe('a stampede', function () {
  this.timeout(120_000);
  this.slow(10_000);
  let world: World;
  beforeEach(async () => {
    world = await openWorld();
    await world.setPolicies(policyOf({ scanned: { by: ['inspector'], withinMs: 7 * DAY_MS } }));
  });
  afterEach(() => world.close());

  it('of 10,000 pulls of one new image makes one scan, and one reading of what it found, V-23', async () => {
    const image = await buildImage();
    await world.push(image);
    const scanner = scannerThatFinds();
    const runner = world.openRunner([scanner]);
    let readCount = 0;
    let requestCount = 0;
    const { facts } = world.store;
    const verdicts = world.openVerdicts({
      facts: {
        ...facts,
        findFacts: (...asked: Parameters<typeof facts.findFacts>) => {
          readCount++;
          return facts.findFacts(...asked);
        },
      },
      scans: {
        ...runner.requests,
        request: (...asked) => {
          requestCount++;
          return runner.requests.request(...asked);
        },
      },
    });
    const stampede = (waitMsMax: number) =>
      Promise.all(
        Array.from({ length: PULLS }, (_, at) =>
          verdicts.verdictFor(APP, image.digest, { waitMsMax, principalId: `p${at % 500}` }),
        ),
      );
    const first = stampede(60_000);
    runner.start();
    const outcomes = Map.groupBy(await first, ({ verdict }) => verdict.outcome);
    // Those that found no place to wait are told to come back.
    assert.deepEqual([...outcomes.keys()].toSorted(), ['allow', 'unscanned']);
    assert.equal(outcomes.get('allow')?.length, 200);
    assert.deepEqual(scanner.scanned, [image.digest]);
    const before = readCount;
    assert.ok(before <= 4, `${before} readings`);
    assert.ok(requestCount <= 4, `${requestCount} requests for a scan`);
    assert.ok((await stampede(0)).every(({ verdict }) => verdict.outcome === 'allow'));
    assert.ok(readCount - before <= 1, `${readCount - before} readings after the scan`);
    assert.equal(scanner.scanned.length, 1);
  });
});
