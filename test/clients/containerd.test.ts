import assert from 'node:assert/strict';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import { type Ran, run } from '../support/run.ts';
import { until } from '../support/until.ts';
import { CONTAINERD_1, startContainerd, writeHosts } from './containerd-daemon.ts';
import { type Daemon, startOrSkip } from './daemon.ts';

const PASSWORD = 'correct-horse-battery-9';

/** ctr signs in with each command, knows the CA by hosts.toml, and asks for a manifest by HEAD first. */
describe('containerd', function () {
  this.timeout(120_000);
  let daemon: Daemon | undefined;
  let server: Dockgate;
  let hosts: string;
  let good: BuiltImage;
  let leaky: BuiltImage;

  before(async function () {
    daemon = await startOrSkip(this, () => startContainerd(CONTAINERD_1));
    server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
    await server.addUser('bob', PASSWORD, ['reader', 'elsewhere/**']);
    hosts = writeHosts(daemon?.directory ?? '', server);
    good = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'hello', data: 'hello\n' }]] });
    leaky = await buildImage({ config: { user: 'app' }, layers: [[PLANTED_AWS_FILE]] });
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    await pusher.push('team/good', good, '1');
    await pusher.push('team/leaky', leaky, '1');
  });
  after(async () => {
    await server?.remove();
    await daemon?.stop();
  });

  const ctr = (...args: readonly string[]): Promise<Ran> =>
    run('ctr', ['--address', daemon?.socket ?? '', ...args]);
  const place = (image: string) => `${server.host}/${image}`;
  const as = (user: string, password = PASSWORD) => ['--hosts-dir', hosts, '--user', `${user}:${password}`];
  const pull = (image: string, credential: readonly string[]) =>
    ctr('images', 'pull', '--snapshotter', 'native', ...credential, place(image));

  it('pulls by tag and by digest', async () => {
    for (const image of ['team/good:1', `team/good@${good.digest}`]) {
      const pulled = await pull(image, as('alice'));
      assert.equal(pulled.code, 0, pulled.output);
    }
  });

  it('pushes', async () => {
    const source = place('team/good:1');
    const target = place('team/pushed:1');
    const pulled = await pull('team/good:1', as('alice'));
    assert.equal(pulled.code, 0, pulled.output);
    const tagged = await ctr('images', 'tag', source, target);
    assert.equal(tagged.code, 0, tagged.output);
    const pushed = await ctr('images', 'push', ...as('alice'), target);
    assert.equal(pushed.code, 0, pushed.output);
    const shown = await server.run(['--json', 'image', 'show', 'team/pushed:1']);
    assert.equal(JSON.parse(shown).digest, good.digest);
  });

  it('is told the status alone when its password is wrong', async () => {
    const pulled = await pull('team/good:1', as('alice', 'not-the-password-1'));
    assert.notEqual(pulled.code, 0);
    assert.match(pulled.output, /failed to fetch oauth token: unexpected status:? .*401/);
  });

  it('is told the status alone when no grant lets it pull, whether the image exists or not', async () => {
    for (const image of ['team/good:1', 'team/never-pushed:1']) {
      const pulled = await pull(image, as('bob'));
      assert.notEqual(pulled.code, 0);
      assert.match(pulled.output, /403 Forbidden/);
    }
  });

  it('is told the status alone when no grant lets it push', async () => {
    const target = place('team/by-bob:1');
    await pull('team/good:1', as('alice'));
    await ctr('images', 'tag', '--force', place('team/good:1'), target);
    const pushed = await ctr('images', 'push', ...as('bob'), target);
    assert.notEqual(pushed.code, 0);
    assert.match(pushed.output, /403 Forbidden/);
  });

  it('is refused a blocked image by tag and by digest, and told the status: 1.6 asks by HEAD alone', async () => {
    for (const image of ['team/leaky:1', `team/leaky@${leaky.digest}`]) {
      const pulled = await pull(image, as('alice'));
      assert.notEqual(pulled.code, 0);
      assert.match(pulled.output, /403 Forbidden/);
    }
    const args = ['--json', 'audit', 'search', '--outcome', 'refused', '--repository', 'team/leaky'];
    const reasons = async (): Promise<readonly (string | undefined)[]> => {
      const { records } = JSON.parse(await server.run(args));
      return records.map(({ record }: { record: { reason?: string } }) => record.reason);
    };
    // The index may lag a second behind the log.
    await until(async () => (await reasons()).includes('policy.secrets'), 'the refusal is in the index');
  });
});
