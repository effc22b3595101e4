import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type CutLine, openCutLine } from '../support/cut-line.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { goProgram, skipWithoutGoProgram } from '../support/go-program.ts';
import { type BuiltImage, buildImage, buildIndex } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import { type Ran, run } from '../support/run.ts';
import { CONTAINERD_2, startContainerd, writeHosts } from './containerd-daemon.ts';
import { type Daemon, startOrSkip } from './daemon.ts';

const PASSWORD = 'correct-horse-battery-9';
const MIB = 1024 * 1024;

/** Today's containerd asks by HEAD as 1.6 does, and by GET when that is refused, whose answer it prints. */
describe('containerd 2', function () {
  this.timeout(120_000);
  let daemon: Daemon | undefined;
  let server: Dockgate;
  let line: CutLine;
  let hosts: string;
  let good: BuiltImage;
  let leaky: BuiltImage;

  before(async function () {
    for (const name of ['containerd', 'ctr']) skipWithoutGoProgram(this, name);
    daemon = await startOrSkip(this, () => startContainerd(CONTAINERD_2));
    line = await openCutLine(3 * MIB);
    server = await startDockgate({ arguments: ['--public-url', `https://localhost:${line.port}`] });
    line.connect(server.port);
    await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
    await server.addUser('bob', PASSWORD, ['reader', 'elsewhere/**']);
    const directory = daemon?.directory ?? '';
    hosts = writeHosts(directory, server);
    writeHosts(directory, { host: `localhost:${line.port}`, caPath: server.caPath });
    good = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'hello', data: 'hello\n' }]] });
    leaky = await buildImage({ config: { user: 'app' }, layers: [[PLANTED_AWS_FILE]] });
    const arm = await buildImage({ config: { user: 'app', architecture: 'arm64' } });
    const big = await buildImage({
      config: { user: 'app' },
      layers: [[{ path: 'noise', data: randomBytes(4 * MIB) }]],
    });
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    await pusher.push('team/good', good, '1');
    await pusher.push('team/leaky', leaky, '1');
    await pusher.push('team/many', buildIndex([good, arm]), '1');
    await pusher.push('team/big', big, '1');
  });
  after(async () => {
    await server?.remove();
    await line?.close();
    await daemon?.stop();
  });

  const ctr = (...args: readonly string[]): Promise<Ran> =>
    run(goProgram('ctr'), ['--address', daemon?.socket ?? '', ...args]);
  const as = (user: string, password = PASSWORD) => ['--hosts-dir', hosts, '--user', `${user}:${password}`];
  // `--local`: the transfer service reads hosts.toml and passwords of its own.
  const pull = (image: string, credential: readonly string[], host = server.host) =>
    ctr('images', 'pull', '--local', '--snapshotter', 'native', ...credential, `${host}/${image}`);

  it('pulls by tag and by digest', async () => {
    for (const image of ['team/good:1', `team/good@${good.digest}`]) {
      const pulled = await pull(image, as('alice'));
      assert.equal(pulled.code, 0, pulled.output);
    }
  });

  it('pulls the image of another platform', async () => {
    const pulled = await pull('team/many:1', [...as('alice'), '--platform', 'linux/arm64']);
    assert.equal(pulled.code, 0, pulled.output);
  });

  it('pushes', async () => {
    const target = `${server.host}/team/pushed:1`;
    assert.equal((await pull('team/good:1', as('alice'))).code, 0);
    const tagged = await ctr('images', 'tag', `${server.host}/team/good:1`, target);
    assert.equal(tagged.code, 0, tagged.output);
    const pushed = await ctr('images', 'push', '--local', ...as('alice'), target);
    assert.equal(pushed.code, 0, pushed.output);
    assert.equal(
      JSON.parse(await server.run(['--json', 'image', 'show', 'team/pushed:1'])).digest,
      good.digest,
    );
  });

  it('goes on where the line broke', async () => {
    const pulled = await pull('team/big:1', as('alice'), `localhost:${line.port}`);
    assert.equal(pulled.code, 0, pulled.output);
    assert(line.hasCut());
    // From the start again it would be 7 MiB.
    assert(line.sentBytes() < 5.5 * MIB, `${line.sentBytes()} bytes were sent for a layer of ${4 * MIB}`);
  });

  it('is told that its password is wrong', async () => {
    const pulled = await pull('team/good:1', as('alice', 'not-the-password-1'));
    assert.notEqual(pulled.code, 0);
    assert.match(pulled.output, /failed to fetch oauth token: unexpected status.*401/);
  });

  it('is told that no grant lets it pull, whether the image exists or not', async () => {
    for (const image of ['team/good:1', 'team/never-pushed:1']) {
      const pulled = await pull(image, as('bob'));
      assert.notEqual(pulled.code, 0);
      assert.match(pulled.output, /bob has no grant for pull on team\//);
    }
  });

  it('is told that no grant lets it push', async () => {
    const target = `${server.host}/team/by-bob:1`;
    const pulled = await pull('team/good:1', as('alice'));
    assert.equal(pulled.code, 0, pulled.output);
    const tagged = await ctr('images', 'tag', `${server.host}/team/good:1`, target);
    assert.equal(tagged.code, 0, tagged.output);
    const pushed = await ctr('images', 'push', '--local', ...as('bob'), target);
    assert.notEqual(pushed.code, 0);
    assert.match(pushed.output, /bob has no grant for push on team\/by-bob/);
  });

  it('is told why an image is blocked, by tag and by digest', async () => {
    for (const image of ['team/leaky:1', `team/leaky@${leaky.digest}`]) {
      const pulled = await pull(image, as('alice'));
      assert.notEqual(pulled.code, 0);
      assert.match(pulled.output, /dockgate: blocked team\/leaky@.* by rule secrets/s);
    }
  });
});
