import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import {
  type Change,
  createLocalChanges,
  createManualClock,
  DAY_MS,
  silentLogger,
  systemRandom,
} from '../../src/base/index.ts';
import { type OpenRedis, openRedis } from '../../src/cluster/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import { effectivePolicies, type Facts, judge, type Policy, type Waiver } from '../../src/policy/index.ts';
import { createVerdicts, type Verdicts } from '../../src/verdicts/index.ts';
import { APP, digestOf, factsOf, findingOf, NOW_MS, policyOf, scanOf, waiverOf } from '../policy/fixtures.ts';
import { type RedisServer, reserveRedisServer } from './redis-server.ts';
import { until } from './until.ts';

const DIGESTS = [digestOf('a'), digestOf('b')] as const;
const KEY = randomBytes(32);
const RULES = { scanned: { by: ['inspector'], withinMs: 7 * DAY_MS }, secrets: 'block' } as const;

/** What a node knows, changed by one writer; each change is acknowledged by every process, as in production. */
function createNode() {
  const clock = createManualClock(NOW_MS);
  const facts = new Map<Digest, Facts>();
  let policies: readonly Policy[] = [policyOf(RULES)];
  let waivers: readonly Waiver[] = [];
  const processes: ReturnType<typeof createLocalChanges>[] = [];
  const tell = (change: Change): void => {
    for (const one of processes) one.publish(change);
  };
  return {
    clock,
    processes,
    reads: {
      // What is read is what was true at the beginning of the reading, and arrives later.
      findFacts: async (digest: Digest) => {
        const known = facts.get(digest);
        await nextTurn();
        return known;
      },
      listPolicies: async () => {
        const known = policies;
        await nextTurn();
        return known;
      },
      listFeeds: async () => [],
      listWaivers: async () => waivers,
    },
    report(digest: Digest, isBad: boolean) {
      const findings = isBad ? [findingOf({ kind: 'secret', id: 'key' })] : [];
      facts.set(digest, factsOf({ digest, scans: [scanOf({ atMs: clock.nowMs() })], findings }));
      tell({ topic: 'facts', key: digest });
    },
    setMode(mode: Policy['mode']) {
      policies = [policyOf(RULES, { mode })];
      tell({ topic: 'policies' });
    },
    waive(isWaived: boolean) {
      const ends = { endsAtMs: clock.nowMs() + DAY_MS };
      waivers = isWaived ? [waiverOf({ finding: 'key', digest: DIGESTS[0], ...ends })] : [];
      tell({ topic: 'policies' });
    },
    truth: (digest: Digest) =>
      judge(facts.get(digest), digest, effectivePolicies(policies, waivers, APP), clock.nowMs()),
  };
}

type Node = ReturnType<typeof createNode>;
type Step = (node: Node) => void;

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ at: fc.nat(1), isBad: fc.boolean() }).map(
    ({ at, isBad }): Step =>
      (node) =>
        node.report(DIGESTS[at] ?? DIGESTS[0], isBad),
  ),
  fc.constantFrom<Policy['mode']>('enforce', 'warn', 'off').map(
    (mode): Step =>
      (node) =>
        node.setMode(mode),
  ),
  fc.boolean().map(
    (isWaived): Step =>
      (node) =>
        node.waive(isWaived),
  ),
  fc.constantFrom(1, DAY_MS, 7 * DAY_MS).map(
    (ms): Step =>
      (node) =>
        node.clock.advance(ms),
  ),
  fc.nat(1).map(
    (at): Step =>
      (node) =>
        node.processes[at]?.lose(),
  ),
);

describe('verdicts of several processes over one Redis', function () {
  this.timeout(120_000);
  let server: RedisServer;
  const redis: OpenRedis[] = [];
  before(async () => {
    server = await reserveRedisServer();
    await server.start();
  });
  after(() => server.remove());
  afterEach(() => {
    for (const one of redis.splice(0)) one.close();
  });

  async function openProcess(node: Node): Promise<Verdicts> {
    const changes = createLocalChanges();
    node.processes.push(changes);
    const shared = openRedis(
      { url: server.url, commandMsMax: 5000 },
      { hmacKey: KEY, clock: node.clock, random: systemRandom, logger: silentLogger },
    );
    redis.push(shared);
    await until(() => shared.isAvailable());
    return createVerdicts(
      {},
      {
        facts: node.reads,
        manifests: {
          findManifestShape: async () => ({ kind: 'image', children: [] }),
          manifestsNaming: async () => [],
        },
        memory: shared.verdicts,
        scans: {
          isOffered: () => true,
          request: async () => {},
          wait: async () => ({ isDone: false, restMs: 0 }),
        },
        changes,
        clock: node.clock,
        logger: silentLogger,
        hash: (text) => createHash('sha256').update(text).digest('hex'),
      },
    );
  }

  it('are never older than the last acknowledged change, whatever was under way, V-22, V-24', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        await server.admin().flushall();
        const node = createNode();
        const processes = [await openProcess(node), await openProcess(node)];
        const underWay: Promise<unknown>[] = [];
        for (const change of steps) {
          for (const one of processes) for (const digest of DIGESTS) underWay.push(one.peek(APP, digest));
          await nextTurn();
          change(node);
          for (const digest of DIGESTS) {
            const truth = node.truth(digest);
            for (const one of processes) assert.deepEqual(await one.peek(APP, digest), truth);
          }
        }
        await Promise.all(underWay);
        for (const one of redis.splice(0)) one.close();
      }),
      { numRuns: 60 },
    );
  });
});
