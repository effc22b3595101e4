import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage, type ImageEntry } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import { type Ran, run } from '../support/run.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';
const SYSTEM: readonly ImageEntry[] = [
  { path: 'bin/sh', data: '#!\n', mode: 0o755 },
  { path: 'etc/passwd', data: 'app:x:1000:1000::/:/bin/sh\n' },
];

/** LXD asks no registry: it imports what skopeo fetched and umoci unpacked, as docs/clients.md tells. */
describe('LXD', function () {
  this.timeout(180_000);
  let server: Dockgate;
  let directory: string;
  let daemon: ChildProcess;
  let environment: NodeJS.ProcessEnv;

  before(async function () {
    const isRoot = process.getuid?.() === 0;
    if (!isRoot || spawnSync('lxd', ['--version']).status !== 0) {
      console.log('SKIPPED: LXD is not installed, or its daemon may not be started by this user');
      this.skip();
    }
    server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    await pusher.push('team/good', await buildImage({ config: { user: 'app' }, layers: [SYSTEM] }), '1');
    const leaky = [[...SYSTEM, PLANTED_AWS_FILE]];
    await pusher.push('team/leaky', await buildImage({ config: { user: 'app' }, layers: leaky }), '1');
    directory = mkdtempSync(join(tmpdir(), 'lxd-'));
    environment = {
      PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
      HOME: directory,
      TMPDIR: directory,
      SSL_CERT_FILE: server.caPath,
      REGISTRY_AUTH_FILE: join(directory, 'auth.json'),
      LXD_DIR: join(directory, 'lxd'),
      LXD_CONF: join(directory, 'conf'),
    };
    mkdirSync(join(directory, 'lxd'));
    daemon = spawn('lxd', ['--group', 'root'], { env: environment, stdio: 'ignore' });
    await until(() => existsSync(join(directory, 'lxd/unix.socket')), 'the daemon listens');
    const input = PASSWORD;
    const signIn = ['login', '-u', 'alice', '--password-stdin', server.host];
    assert.equal((await run('skopeo', signIn, { environment, input })).code, 0);
  });

  after(async () => {
    if (daemon) {
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      await run('lxd', ['shutdown', '--timeout', '30'], { environment });
      daemon.kill('SIGKILL');
      await ended;
      for (const mount of ['devlxd', 'shmounts']) spawnSync('umount', [join(directory, 'lxd', mount)]);
    }
    await server?.remove();
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  });

  const fetchImage = (name: string): Promise<Ran> =>
    run('skopeo', ['copy', `docker://${server.host}/team/${name}:1`, `oci:${directory}/${name}:1`], {
      environment,
    });

  it('imports the root file system of an image that was pulled through dockgate', async () => {
    const fetched = await fetchImage('good');
    assert.equal(fetched.code, 0, fetched.output);
    const bundle = join(directory, 'bundle');
    const unpacked = await run('umoci', ['unpack', '--image', `${directory}/good:1`, bundle], {
      environment,
    });
    assert.equal(unpacked.code, 0, unpacked.output);
    const metadata =
      'architecture: x86_64\ncreation_date: 1700000000\nproperties: { os: made-for-this-test }\n';
    writeFileSync(join(directory, 'metadata.yaml'), metadata);
    const archives = [
      ['metadata.tar', directory, 'metadata.yaml'],
      ['rootfs.tar', bundle, 'rootfs'],
    ] as const;
    for (const [archive, from, what] of archives) {
      const packed = await run('tar', ['-cf', join(directory, archive), '-C', from, what], { environment });
      assert.equal(packed.code, 0, packed.output);
    }
    const files = [join(directory, 'metadata.tar'), join(directory, 'rootfs.tar')];
    const imported = await run('lxc', ['image', 'import', ...files, '--alias', 'good'], { environment });
    assert.equal(imported.code, 0, imported.output);
    const shown = await run('lxc', ['image', 'show', 'good'], { environment });
    assert.match(shown.output, /os: made-for-this-test/);
    // The fingerprint is over both files: what LXD holds is what dockgate served.
    const hash = createHash('sha256');
    for (const file of files) hash.update(readFileSync(file));
    const listed = await run('lxc', ['image', 'list', '--format', 'json'], { environment });
    assert.match(listed.output, new RegExp(hash.digest('hex')));
  });

  it('gets nothing of a blocked image, and the sentence says why', async () => {
    const fetched = await fetchImage('leaky');
    assert.notEqual(fetched.code, 0);
    assert.match(fetched.output, /denied: dockgate: blocked team\/leaky@.* by rule secrets/);
    assert(!existsSync(join(directory, 'leaky/index.json')));
  });
});
