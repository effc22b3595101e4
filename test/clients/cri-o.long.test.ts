import assert from 'node:assert/strict';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { skipWithoutGoProgram } from '../support/go-program.ts';
import { type BuiltImage, buildImage, buildIndex } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import type { Ran } from '../support/run.ts';
import { crictl, startCrio } from './crio-daemon.ts';
import { type Daemon, startOrSkip } from './daemon.ts';

const PASSWORD = 'correct-horse-battery-9';

describe('CRI-O with crictl', function () {
  this.timeout(240_000);
  let daemon: Daemon | undefined;
  let server: Dockgate;
  let good: BuiltImage;
  let leaky: BuiltImage;

  before(async function () {
    skipWithoutGoProgram(this, 'crictl');
    server = await startDockgate();
    daemon = await startOrSkip(this, () => startCrio(server));
    await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
    await server.addUser('bob', PASSWORD, ['reader', 'elsewhere/**']);
    good = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'hello', data: 'hello\n' }]] });
    leaky = await buildImage({ config: { user: 'app' }, layers: [[PLANTED_AWS_FILE]] });
    const arm = await buildImage({ config: { user: 'app', architecture: 'arm64' } });
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    await pusher.push('team/good', good, '1');
    await pusher.push('team/leaky', leaky, '1');
    await pusher.push('team/many', buildIndex([good, arm]), '1');
  });
  after(async () => {
    await daemon?.stop();
    await server?.remove();
  });

  const pull = (image: string, user: string, password = PASSWORD): Promise<Ran> =>
    crictl(daemon?.socket ?? '', 'pull', '--creds', `${user}:${password}`, `${server.host}/${image}`);

  it('pulls by tag, by digest and out of an index', async () => {
    for (const image of ['team/good:1', `team/good@${good.digest}`, 'team/many:1']) {
      const pulled = await pull(image, 'alice');
      assert.equal(pulled.code, 0, pulled.output);
    }
  });

  it('is told that its password is wrong', async () => {
    const pulled = await pull('team/good:1', 'alice', 'not-the-password-1');
    assert.notEqual(pulled.code, 0);
    assert.match(pulled.output, /invalid username\/password/);
  });

  it('is told that no grant lets it pull', async () => {
    const pulled = await pull('team/good:1', 'bob');
    assert.notEqual(pulled.code, 0);
    assert.match(pulled.output, /bob has no grant for pull on team\/good/);
  });

  it('is told why an image is blocked, by tag and by digest', async () => {
    for (const image of ['team/leaky:1', `team/leaky@${leaky.digest}`]) {
      const pulled = await pull(image, 'alice');
      assert.notEqual(pulled.code, 0);
      assert.match(pulled.output, /dockgate: blocked team\/leaky@.* by rule secrets/s);
    }
  });
});
