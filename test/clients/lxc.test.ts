import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage, type ImageEntry } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import { type Ran, run } from '../support/run.ts';

const PASSWORD = 'correct-horse-battery-9';

/** As much of a system as the template looks for. */
const SYSTEM: readonly ImageEntry[] = [
  { path: 'bin/sh', data: '#!\n', mode: 0o755 },
  { path: 'etc/passwd', data: 'app:x:1000:1000::/:/bin/sh\n' },
  { path: 'etc/group', data: 'app:x:1000:\n' },
];

/** Its OCI template is a script around skopeo, umoci and jq. */
describe('LXC', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let directory: string;
  let environment: NodeJS.ProcessEnv;
  let good: BuiltImage;
  let leaky: BuiltImage;

  before(async function () {
    if (process.getuid?.() !== 0) {
      console.log('SKIPPED: lxc-create unpacks an image as root only');
      this.skip();
    }
    server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
    good = await buildImage({ config: { user: 'app' }, layers: [SYSTEM] });
    leaky = await buildImage({ config: { user: 'app' }, layers: [[...SYSTEM, PLANTED_AWS_FILE]] });
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    await pusher.push('team/good', good, '1');
    await pusher.push('team/leaky', leaky, '1');
    directory = mkdtempSync(join(tmpdir(), 'lxc-'));
    environment = {
      PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
      HOME: directory,
      TMPDIR: directory,
      SSL_CERT_FILE: server.caPath,
      REGISTRY_AUTH_FILE: join(directory, 'auth.json'),
    };
  });
  after(async () => {
    await server?.remove();
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  });

  const create = (name: string, image: string): Promise<Ran> => {
    const url = `docker://${server.host}/${image}`;
    const args = [
      '-P',
      directory,
      '-n',
      name,
      '-t',
      'oci',
      '-f',
      '/dev/null',
      '--',
      '--url',
      url,
      '--no-cache',
    ];
    return run('lxc-create', args, { environment });
  };
  const login = (): Promise<Ran> =>
    run('skopeo', ['login', '-u', 'alice', '--password-stdin', server.host], {
      environment,
      input: PASSWORD,
    });

  it('makes nothing of what it may not pull before it has signed in', async () => {
    const made = await create('early', 'team/good:1');
    assert.notEqual(made.code, 0, made.output);
  });

  it('makes a container by tag', async () => {
    assert.equal((await login()).code, 0);
    const made = await create('good', 'team/good:1');
    assert.equal(made.code, 0, made.output);
    assert(existsSync(join(directory, 'good/rootfs/etc/passwd')), made.output);
  });

  it('makes a container by digest', async () => {
    assert.equal((await login()).code, 0);
    const made = await create('by-digest', `team/good@${good.digest}`);
    assert.equal(made.code, 0, made.output);
    assert(existsSync(join(directory, 'by-digest/rootfs/etc/passwd')), made.output);
  });

  it('is told why an image is blocked, by tag and by digest', async () => {
    assert.equal((await login()).code, 0);
    for (const reference of [':1', `@${leaky.digest}`]) {
      const made = await create('leaky', `team/leaky${reference}`);
      assert.notEqual(made.code, 0);
      assert.match(made.output, /denied: dockgate: blocked team\/leaky@.* by rule secrets/);
      assert(!existsSync(join(directory, 'leaky/rootfs/root')));
    }
  });
});
