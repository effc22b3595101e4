import assert from 'node:assert/strict';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';
import { createPusher, type Pusher } from '../support/pusher.ts';
import { createStraightPusher, type StraightPusher } from '../support/straight-push.ts';

const ALICE = 'alice:correct-horse-battery-9';
/** Each on a connection of its own, so that every worker is asked. */
const ASKED = 6;

describe('tags of a registry behind several workers', () => {
  let registry: DockerRegistry;
  let straight: StraightPusher;
  let dockgate: Dockgate;
  let pusher: Pusher;
  let images: readonly [BuiltImage, BuiltImage];

  before(async function () {
    this.timeout(120_000);
    registry = await startDockerRegistry();
    straight = createStraightPusher(registry.url);
    dockgate = await startDockgate({
      config: [
        'upstreams:',
        `  - { prefix: slow, url: "${registry.url}", tagFreshness: 1h }`,
        `  - { prefix: own, url: "${registry.url}", exclusive: true }`,
        '',
      ].join('\n'),
      workers: 2,
    });
    const [name = '', password = ''] = ALICE.split(':');
    await dockgate.addUser(name, password, ['maintainer', '**']);
    pusher = createPusher(dockgate, ALICE);
    images = [await buildImage(), await buildImage({ config: { user: '1000' } })];
  });
  after(async () => {
    await dockgate?.remove();
    await registry?.stop();
  });

  async function digestsOf(repository: string): Promise<unknown> {
    const answers: unknown[] = [];
    for (let asked = 0; asked < ASKED; asked += 1) {
      const path = `/v2/${repository}/manifests/1`;
      const answer = await dockgate.request(path, { method: 'HEAD', basic: ALICE });
      answers.push(answer.status === 200 ? answer.headers['docker-content-digest'] : answer.status);
    }
    const all = [...new Set(answers)];
    return all.length === 1 ? all[0] : all;
  }

  for (const prefix of ['slow', 'own']) {
    it(`are what was pushed through it, in every worker at once (${prefix})`, async () => {
      const repository = `${prefix}/pushed-${prefix}`;
      for (let round = 0; round < 4; round += 1) {
        for (const image of images) {
          await pusher.push(repository, image, '1');
          assert.equal(await digestsOf(repository), image.digest);
        }
      }
    });

    it(`are gone in every worker when they were deleted through it (${prefix})`, async () => {
      const repository = `${prefix}/deleted-${prefix}`;
      await pusher.push(repository, images[0], '1');
      assert.equal(await digestsOf(repository), images[0].digest);
      const path = `/v2/${repository}/manifests/${images[0].digest}`;
      assert.equal((await dockgate.request(path, { method: 'DELETE', basic: ALICE })).status, 202);
      assert.equal(await digestsOf(repository), 404);
    });
  }

  it('of an exclusive one are asked for once, and then never again, whoever writes to it', async () => {
    await straight.push('known', images[0], '1');
    assert.equal(await digestsOf('own/known'), images[0].digest);
    await straight.push('known', images[1], '1');
    assert.equal(await digestsOf('own/known'), images[0].digest);
    // An import asks for each, and leaves what differs to the next pull.
    await dockgate.run(['image', 'import', 'own/known']);
    assert.equal(await digestsOf('own/known'), images[1].digest);
  });

  it('of an exclusive one that does not know them are asked for each time', async () => {
    assert.equal(await digestsOf('own/later'), 404);
    await straight.push('later', images[0], '1');
    assert.equal(await digestsOf('own/later'), images[0].digest);
  });
});
