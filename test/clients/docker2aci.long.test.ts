import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import type { ContainerClient } from './container-client.ts';
import { docker2aciClient } from './docker2aci-client.ts';

const PASSWORD = 'correct-horse-battery-9';

/** rkt fetches images with it. Its conversations are replayed in every run; this is the program itself. */
describe('docker2aci', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let client: ContainerClient;
  let good: BuiltImage;
  let leaky: BuiltImage;

  before(async function () {
    try {
      execFileSync('docker2aci', ['-version'], { stdio: 'ignore' });
    } catch {
      console.log('SKIPPED: there is no docker2aci on the PATH');
      this.skip();
    }
    server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
    await server.addUser('bob', PASSWORD, ['reader', 'elsewhere/**']);
    good = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'hello', data: 'hello\n' }]] });
    leaky = await buildImage({ config: { user: 'app' }, layers: [[PLANTED_AWS_FILE]] });
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    await pusher.push('team/good', good, '1');
    await pusher.push('team/leaky', leaky, '1');
  });
  beforeEach(() => {
    client = docker2aciClient(server);
  });
  afterEach(() => client.remove());
  after(() => server?.remove());

  it('signs in, pulls by tag and by digest, and pulls nothing once it has signed out', async () => {
    await client.login('alice', PASSWORD);
    for (const image of ['team/good:1', `team/good@${good.digest}`]) {
      const pulled = await client.pull(image);
      assert.equal(pulled.code, 0, pulled.output);
    }
    await client.logout();
    assert.notEqual((await client.pull('team/good:1')).code, 0);
  });

  it('is refused with a wrong password, without a grant, and where the image is blocked', async () => {
    const refused = [
      { user: 'alice', password: 'not-the-password-1', image: 'team/good:1', status: 401 },
      { user: 'bob', password: PASSWORD, image: 'team/good:1', status: 403 },
      { user: 'alice', password: PASSWORD, image: 'team/leaky:1', status: 403 },
      { user: 'alice', password: PASSWORD, image: `team/leaky@${leaky.digest}`, status: 403 },
    ];
    for (const { user, password, image, status } of refused) {
      await client.login(user, password);
      const pulled = await client.pull(image);
      assert.notEqual(pulled.code, 0, image);
      assert.match(pulled.output, new RegExp(`HTTP code: ${status}`), `${user} ${image}`);
    }
  });
});
