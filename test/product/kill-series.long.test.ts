import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { setTimeout as passing } from 'node:timers/promises';
import { MiB } from '../../src/base/index.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';

const BASIC = 'alice:correct-horse-battery-9';
/** This is about what is stored; nobody waits for scans. */
const ONLY_WARNS = `policies:
  - { name: default, match: ["**"], mode: warn, rules: { scanned: { by: [inspector], within: 7d } } }
`;
/** How often everything is killed; the issue asks for a hundred. */
const KILLS = Number(process.env.DOCKGATE_KILLS ?? 100);
/** Pushes that run when it is killed. */
const PUSHES_AT_ONCE = 4;
/** A round of pushes takes about so long, so that kills fall before, into and after each step of them. */
const KILL_AFTER_MS_MAX = 600;

interface Push {
  readonly repository: string;
  readonly image: BuiltImage;
  isAcknowledged: boolean;
}

/** Sebastiano Vigna's splitmix32: the same seed gives the same moments. */
function createMoments(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

describe(`kill -9 of everything at ${KILLS} random points of pushes`, function () {
  this.timeout(KILLS * 60_000);
  const seed = Number(process.env.DOCKGATE_SEED ?? randomInt(2 ** 32));
  const moment = createMoments(seed);
  const pushes: Push[] = [];
  let server: Dockgate;

  before(async () => {
    server = await startDockgate();
    await server.addUser('alice', 'correct-horse-battery-9', ['developer', '**']);
    await server.run(['policy', 'apply', '-f', '-'], ONLY_WARNS);
  });
  after(() => server.remove());

  async function planPush(round: number, at: number, shared: Buffer): Promise<Push> {
    const layers = [shared, randomBytes(64 * 1024), randomBytes(Math.ceil(moment() * 2 * MiB))];
    const image = await buildImage({
      config: { user: 'app' },
      layers: layers.map((data, index) => [{ path: `file${index}`, data }]),
      compression: 'none',
    });
    return { repository: `team/killed-${round}-${at}`, image, isAcknowledged: false };
  }

  async function killDuringPushes(round: number): Promise<readonly Push[]> {
    const shared = randomBytes(100_000);
    const planned = await Promise.all(
      Array.from({ length: PUSHES_AT_ONCE }, (_, at) => planPush(round, at, shared)),
    );
    const pusher = createPusher(server, BASIC);
    const running = planned.map((push) =>
      pusher.push(push.repository, push.image, '1').then(
        () => {
          push.isAcknowledged = true;
        },
        // Cut off: whether it took effect is seen after the restart.
        () => {},
      ),
    );
    await passing(moment() * KILL_AFTER_MS_MAX);
    await server.killAll();
    await Promise.all(running);
    return planned;
  }

  async function bytesOf(path: string): Promise<{ readonly status: number; readonly sha256: string }> {
    const { status, body } = await server.request(path, { basic: BASIC });
    return { status, sha256: createHash('sha256').update(body).digest('hex') };
  }

  /** All of it, or nothing: by its tag, its digest and each of its blobs. @returns whether it is there. */
  async function isWhole({ repository, image }: Push): Promise<boolean> {
    const byTag = await bytesOf(`/v2/${repository}/manifests/1`);
    const byDigest = await bytesOf(`/v2/${repository}/manifests/${image.digest}`);
    assert.equal(byTag.status, byDigest.status, `${repository}: tag and digest disagree (seed ${seed})`);
    if (byTag.status === 404) return false;
    assert.equal(byTag.status, 200, `${repository}: ${byTag.status} (seed ${seed})`);
    assert.equal(`sha256:${byTag.sha256}`, image.digest, repository);
    for (const { digest } of [image.config, ...image.layers]) {
      const blob = await bytesOf(`/v2/${repository}/blobs/${digest}`);
      assert.deepEqual([blob.status, `sha256:${blob.sha256}`], [200, digest], `${repository} (seed ${seed})`);
    }
    return true;
  }

  it('F-24: keeps every push that was acknowledged, and of the others all or nothing', async () => {
    let lostCount = 0;
    for (let round = 0; round < KILLS; round += 1) {
      const { directory, port } = server;
      const planned = await killDuringPushes(round);
      server = await startDockgate({ directory, port });
      pushes.push(...planned);
      for (const push of planned) {
        const isThere = await isWhole(push);
        if (!isThere) lostCount += 1;
        assert.ok(isThere || !push.isAcknowledged, `${push.repository} was acknowledged (seed ${seed})`);
      }
    }
    const acknowledged = pushes.filter((push) => push.isAcknowledged);
    for (const push of acknowledged) assert.ok(await isWhole(push), `${push.repository} went later`);
    console.log(
      `      seed ${seed}: ${KILLS} kills, ${pushes.length} pushes, ${acknowledged.length} acknowledged and whole, ` +
        `${pushes.length - acknowledged.length - lostCount} done without an answer and whole, ${lostCount} gone whole`,
    );
    assert.ok(lostCount > 0 && acknowledged.length > 0, 'no kill fell into a push: move the moments');
  });

  it('leaves a registry and a log that verify', async () => {
    assert.match(await server.run(['registry', 'verify']), /^the registry is whole/);
    assert.match(await server.run(['audit', 'verify']), /the log is whole/);
  });
});
