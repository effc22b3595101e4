import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { parse as parseYaml } from 'yaml';
import { cleanEnvironment, type Dockgate, runCli, startDockgate } from '../support/dockgate.ts';
import { buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';

const PASSWORD = 'correct-horse-battery-9';
const HOST = 'reg.corp:8443';
const PEM = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n';

describe('client-setup and client-doctor', function () {
  this.timeout(120_000);
  let folder: string;
  let root: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dockgate-supply-'));
    root = join(folder, 'root');
    writeFileSync(join(folder, 'ca.crt'), PEM);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  const setUp = (client: string, ...more: readonly string[]) =>
    runCli(['client-setup', client, '--host', HOST, '--ca', 'ca.crt', '--root', root, ...more], {
      cwd: folder,
    });
  const examine = (...more: readonly string[]) =>
    runCli(['client-doctor', '--host', HOST, '--root', root, ...more], { cwd: folder });
  const examineFiles = () => examine('--offline');

  for (const client of ['docker', 'podman', 'containerd', 'cri-o', 'k3s', 'skopeo', 'lxc']) {
    it(`${client}: what was set up has no hole, a second run changes nothing, and printing writes nothing`, async () => {
      const printed = await setUp(client, '--mirror', 'docker.io=hub');
      assert.equal(printed.code, 0, printed.stderr);
      assert.equal(existsSync(root), false);
      const written = await setUp(client, '--mirror', 'docker.io=hub', '--apply');
      assert.equal(written.code, 0, written.stderr);
      assert.match(written.stdout, /^written {2}\/etc\//);
      const again = await setUp(client, '--mirror', 'docker.io=hub', '--apply', '--json');
      const { files } = JSON.parse(again.stdout);
      for (const { path, state } of files) {
        assert.equal(state, 'unchanged', path);
        assert.equal(statSync(join(root, path)).mode & 0o777, 0o644, path);
        const parse: (text: string) => unknown = path.endsWith('.toml') || path.endsWith('.conf') ? parseToml : parseYaml;
        if (!/\.crt$|hosts$/.test(path)) parse(read(path));
      }
      const examined = await examineFiles();
      assert.deepEqual([examined.code, examined.stdout], [0, 'no way around the gateway was found\n']);
    });
  }

  it('keeps what is none of its business in daemon.json and /etc/hosts, and the file as it was', async () => {
    const before = JSON.stringify({
      debug: true,
      'registry-mirrors': ['https://m'],
      'insecure-registries': [HOST, 'x'],
    });
    put('/etc/docker/daemon.json', before);
    put('/etc/hosts', '127.0.0.1 localhost\n');
    assert.equal((await setUp('docker', '--mirror', 'docker.io=hub', '--apply')).code, 0);
    assert.deepEqual(JSON.parse(read('/etc/docker/daemon.json')), {
      debug: true,
      'registry-mirrors': [],
      'insecure-registries': ['x'],
    });
    assert.equal(read('/etc/docker/daemon.json.before-dockgate'), before);
    assert.match(
      read('/etc/hosts'),
      /^127\.0\.0\.1 localhost\n# dockgate: begin\n240\.0\.0\.1 registry-1\.docker\.io\n/,
    );
  });

  it('writes nothing into a daemon.json that it cannot read', async () => {
    put('/etc/docker/daemon.json', '{ broken');
    const { code, stderr } = await setUp('docker', '--apply');
    assert.equal(code, 1);
    assert.match(stderr, /daemon\.json: .*; mend or move it first/);
    assert.equal(read('/etc/docker/daemon.json'), '{ broken');
  });

  const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['an unknown client', ['rkt'], /the clients are docker, podman/],
    ['a host that is a path', ['podman', '--host', '../etc'], /--host \.\.\/etc: write a name/],
    ['a mirror without a prefix', ['podman', '--mirror', 'docker.io'], /write REGISTRY=PREFIX/],
    ['a mirror that is a path', ['containerd', '--mirror', '../x=hub'], /write REGISTRY=PREFIX/],
    ['a CA that is none', ['podman', '--ca', '/dev/null'], /holds no certificate/],
  ];
  for (const [what, args, stderr] of refused) {
    it(`refuses ${what}`, async () => {
      const [client = '', ...more] = args;
      const result = await setUp(client, ...more);
      assert.equal(result.code, 2);
      assert.match(result.stderr, stderr);
    });
  }

  const holes: readonly (readonly [client: string, path: string, text: string, found: RegExp])[] = [
    ['docker', '/etc/docker/daemon.json', '{"registry-mirrors":["https://m"]}', /falls back to Docker Hub/],
    ['docker', '/etc/docker/daemon.json', '{"insecure-registries":["r"]}', /insecure-registries r/],
    ['docker', '/etc/docker/daemon.json', '{', /cannot be read/],
    [
      'podman',
      '/etc/containers/registries.conf.d/zzz.conf',
      'unqualified-search-registries = ["docker.io"]',
      /short name/,
    ],
    [
      'podman',
      '/etc/containers/registries.conf.d/zzz.conf',
      '[[registry]]\nprefix="quay.io"\nlocation="quay.io"',
      /quay\.io is pulled from quay\.io/,
    ],
    [
      'podman',
      '/etc/containers/registries.conf.d/zzz.conf',
      `[[registry]]\nlocation="x.io"\n[[registry.mirror]]\nlocation="${HOST}"`,
      /pulled from x\.io, after its mirrors refuse/,
    ],
    [
      'podman',
      '/etc/containers/registries.conf.d/zzz.conf',
      `[[registry]]\nlocation="${HOST}"\ninsecure=true`,
      /is insecure/,
    ],
    ['podman', '/home/bob/.config/containers/registries.conf', '', /takes the place of the machine's/],
    [
      'containerd',
      '/etc/containerd/certs.d/quay.io/hosts.toml',
      `[host."https://${HOST}"]`,
      /falls back to https:\/\/quay\.io/,
    ],
    [
      'containerd',
      '/etc/containerd/certs.d/quay.io/hosts.toml',
      `server = "https://${HOST}"\nskip_verify = true`,
      /does not check the certificate/,
    ],
    ['containerd', '/etc/containerd/config.toml', 'version = 2', /does not look into certs\.d/],
    ['k3s', '/etc/rancher/k3s/config.yaml.d/dockgate.yaml', '', /asks the origin after its mirrors/],
    [
      'k3s',
      '/etc/rancher/k3s/registries.yaml',
      'mirrors: { "*": { endpoint: ["https://quay.io"] } }',
      /pulled from https:\/\/quay\.io/,
    ],
  ];
  for (const [client, path, text, found] of holes) {
    it(`finds what lets ${client} around the gateway: ${found.source}`, async () => {
      assert.equal((await setUp(client, '--apply')).code, 0);
      put(path, text);
      const { code, stdout } = await examineFiles();
      assert.equal(code, 1);
      assert.match(stdout, found);
      assert.match(stdout, /mend: /);
    });
  }

  it('finds a registry that answers this machine', async () => {
    const origin = createServer((_request, response) => response.writeHead(401).end()).listen(0, '127.0.0.1');
    await once(origin, 'listening');
    const address = origin.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const url = `http://127.0.0.1:${port}`;
    const { code, stdout } = await examine('--json', '--origin', url);
    origin.close();
    assert.equal(code, 1);
    const found: readonly { readonly where: string; readonly text: string }[] = JSON.parse(stdout).holes;
    assert.match(
      found.find(({ where }) => where === url)?.text ?? '',
      /answers this machine directly \(status 401\)/,
    );
  });

  describe('a client that was set up', () => {
    let server: Dockgate;
    before(async () => {
      server = await startDockgate();
      await server.addUser('alice', PASSWORD, ['developer', '**']);
      const image = await buildImage({ config: { user: 'app' } });
      await createPusher(server, `alice:${PASSWORD}`).push('hub/app', image, '1');
    });
    after(() => server.remove());

    it('pulls the mirrored name through dockgate, and never asks the origin when that is down', async function () {
      if (spawnSync('skopeo', ['--version']).status !== 0) this.skip();
      let asked = 0;
      const origin = createTcpServer((socket) => {
        asked += 1;
        socket.destroy();
      }).listen(0, '127.0.0.1');
      await once(origin, 'listening');
      const address = origin.address();
      const name = `localhost:${typeof address === 'object' && address ? address.port : 0}`;
      const args = ['--host', server.host, '--ca', server.caPath, '--root', root, '--apply'];
      const set = await runCli(['client-setup', 'skopeo', ...args, '--mirror', `${name}=hub`], {
        cwd: folder,
      });
      assert.equal(set.code, 0, set.stderr);
      const inspect = (image: string) =>
        new Promise<{ readonly isDone: boolean; readonly output: string }>((resolve) => {
          const certs = join(root, 'etc/containers/certs.d', server.host);
          const given = [
            'inspect',
            '--raw',
            '--creds',
            `alice:${PASSWORD}`,
            '--cert-dir',
            certs,
            `docker://${image}`,
          ];
          const conf = join(root, 'etc/containers/registries.conf.d/zz-dockgate.conf');
          const env = { ...cleanEnvironment(), CONTAINERS_REGISTRIES_CONF: conf };
          execFile('skopeo', given, { env }, (error, stdout, stderr) =>
            resolve({ isDone: error === null, output: stdout + stderr }),
          );
        });
      const pulled = await inspect(`${name}/app:1`);
      assert.ok(pulled.isDone, pulled.output);
      assert.match((await inspect('quay.io/x/y:1')).output, /registry quay\.io is blocked/);
      await server.stop();
      const down = await inspect(`${name}/app:1`);
      origin.close();
      assert.deepEqual([down.isDone, asked], [false, 0], down.output);
    });
  });
});
