import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as passing } from 'node:timers/promises';
import { DAY_MS, silentLogger, systemClock, systemRandom } from '../src/base/index.ts';
import { openRedis } from '../src/cluster/index.ts';
import type { Digest } from '../src/oci/index.ts';
import type { Verdicts as VerdictsPort } from '../src/verdicts/index.ts';
import { reserveRedisServer } from '../test/cluster/redis-server.ts';
import { policyOf } from '../test/policy/fixtures.ts';
import { buildImage } from '../test/support/image.ts';
import { APP, openWorld, scannerThatFinds, type World } from '../test/verdicts/world.ts';

export type Verdicts = readonly { readonly from: string; readonly median: number; readonly p95: number }[];

const REDIS_ROUNDS_MAX = 20;

/** Asks for the verdict of each image by processes that have it in memory, in Redis, or in SQL only. */
export async function measureVerdicts(imageCount: number): Promise<Verdicts> {
  const world = await openWorld();
  world.clock.set(systemClock.nowMs());
  const server = await reserveRedisServer();
  await server.start();
  const redis = openRedis(
    { url: server.url },
    { hmacKey: randomBytes(32), clock: systemClock, random: systemRandom, logger: silentLogger },
  );
  try {
    await world.setPolicies(
      policyOf({ scanned: { by: ['inspector'], withinMs: 7 * DAY_MS }, secrets: 'block', malware: 'block' }),
    );
    const digests = await fill(world, imageCount);
    const { requests: scans } = world.openRunner([scannerThatFinds()]);
    let readCount = 0;
    const { facts } = world.store;
    const counted = {
      ...facts,
      findFacts: (...asked: Parameters<typeof facts.findFacts>) => {
        readCount += 1;
        return facts.findFacts(...asked);
      },
    };
    // The compiler has seen all of it before anything counts.
    await ask(world.openVerdicts({ scans }), digests);
    const bySql = world.openVerdicts({ scans });
    const sql = await ask(bySql, digests);
    const memory = await ask(bySql, digests);
    while (!redis.isAvailable()) await passing(10);
    let fromRedis: readonly number[] = [];
    for (let round = 0; round < REDIS_ROUNDS_MAX; round += 1) {
      readCount = 0;
      fromRedis = await ask(world.openVerdicts({ scans, facts: counted, memory: redis.verdicts }), digests);
      if (readCount === 0) break;
      // What was kept is still on its way.
      await passing(200);
    }
    if (readCount > 0) throw new Error(`${readCount} verdicts did not come from Redis`);
    return [
      { from: 'from memory', ...spreadOf(memory) },
      { from: 'from Redis', ...spreadOf(fromRedis) },
      { from: 'from SQL', ...spreadOf(sql) },
    ];
  } finally {
    redis.close();
    await server.remove();
    await world.close();
  }
}

async function fill(world: World, count: number): Promise<readonly Digest[]> {
  const digests: Digest[] = [];
  for (let at = 0; at < count; at += 1) {
    const label = createHash('sha256').update(`${at}`).digest('hex');
    const image = await buildImage({ config: { labels: { label } }, compression: 'none' });
    await world.push(image);
    await world.report(image.digest);
    digests.push(image.digest);
  }
  return digests;
}

/** Microseconds of each. */
async function ask(verdicts: VerdictsPort, digests: readonly Digest[]): Promise<readonly number[]> {
  const spentUs: number[] = [];
  for (const digest of digests) {
    const startedMs = performance.now();
    const { verdict } = await verdicts.verdictFor(APP, digest, { waitMsMax: 0, principalId: 'bench' });
    spentUs.push((performance.now() - startedMs) * 1000);
    if (verdict.outcome !== 'allow') throw new Error(`${digest} is not admitted: ${verdict.outcome}`);
  }
  return spentUs;
}

function spreadOf(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { median: at(0.5), p95: at(0.95) };
}
