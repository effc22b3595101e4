import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { parse as parseYaml } from 'yaml';
import { runHere } from '../support/cli-here.ts';
import { type ClientRoot, makeClientRoot } from './client-root.ts';

const HOST = 'reg.corp:8443';
const PEM = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n';

describe('dockgate client-setup', () => {
  let machine: ClientRoot;
  beforeEach(() => {
    machine = makeClientRoot(PEM);
  });
  afterEach(() => machine.remove());

  const setUp = (client: string, ...more: readonly string[]) =>
    runHere(['client-setup', client, '--host', HOST, '--ca', machine.ca, '--root', machine.root, ...more]);

  for (const client of ['docker', 'podman', 'containerd', 'cri-o', 'k3s', 'skopeo', 'lxc']) {
    it(`${client}: what was set up has no hole, a second run changes nothing, and printing writes nothing`, async () => {
      const printed = await setUp(client, '--mirror', 'docker.io=hub');
      assert.equal(printed.code, 0, printed.stderr);
      assert.equal(existsSync(machine.root), false);
      const written = await setUp(client, '--mirror', 'docker.io=hub', '--apply');
      assert.equal(written.code, 0, written.stderr);
      assert.match(written.stdout, /^written {2}\/etc\//);
      const again = await setUp(client, '--mirror', 'docker.io=hub', '--apply', '--json');
      for (const { path, state } of JSON.parse(again.stdout).files) {
        assert.equal(state, 'unchanged', path);
        assert.equal(statSync(join(machine.root, path)).mode & 0o777, 0o644, path);
        const parse: (text: string) => unknown = /\.(toml|conf)$/.test(path) ? parseToml : parseYaml;
        if (!/\.crt$|hosts$/.test(path)) parse(machine.read(path));
      }
      const examined = await runHere(['client-doctor', '--host', HOST, '--root', machine.root, '--offline']);
      assert.deepEqual([examined.code, examined.stdout], [0, 'no way around the gateway was found\n']);
    });
  }

  it('leads podman and containerd to the gateway and names no place to fall back to', async () => {
    await setUp('podman', '--mirror', 'docker.io=hub', '--apply');
    const registries: unknown = parseToml(
      machine.read('/etc/containers/registries.conf.d/zz-dockgate.conf'),
    ).registry;
    assert(Array.isArray(registries));
    assert.deepEqual({ ...registries[0] }, { prefix: 'docker.io', location: `${HOST}/hub` });
    assert(
      registries.slice(1).every((registry) => registry.blocked === true && registry.mirror === undefined),
    );
    await setUp('containerd', '--mirror', 'docker.io=hub', '--apply');
    const hosts = parseToml(machine.read('/etc/containerd/certs.d/docker.io/hosts.toml'));
    assert.equal(hosts.server, `https://${HOST}`);
    assert.deepEqual(Object.keys(hosts.host ?? {}), [`https://${HOST}`]);
  });

  it('keeps what is none of its business in daemon.json and /etc/hosts, and the file as it was', async () => {
    const before = JSON.stringify({
      debug: true,
      'registry-mirrors': ['https://m'],
      'insecure-registries': [HOST, 'x'],
    });
    machine.put('/etc/docker/daemon.json', before);
    machine.put('/etc/hosts', '127.0.0.1 localhost\n');
    const mirrors = ['localhost:5000=local', '10.1.2.3:5000=lab', 'old.corp:5000=old', 'reg.corp=own'];
    const given = mirrors.flatMap((mirror) => ['--mirror', mirror]);
    assert.equal((await setUp('docker', ...given, '--apply')).code, 0);
    assert.deepEqual(JSON.parse(machine.read('/etc/docker/daemon.json')), {
      debug: true,
      'registry-mirrors': [],
      'insecure-registries': ['x'],
    });
    assert.equal(machine.read('/etc/docker/daemon.json.before-dockgate'), before);
    const hosts = machine.read('/etc/hosts');
    // The names of this machine and of the gateway lead where they led; an address has none.
    assert.match(
      hosts,
      /^127\.0\.0\.1 localhost\n# dockgate: begin\n240\.0\.0\.1 old\.corp\n240\.0\.0\.1 registry-1\.docker\.io\n/,
    );
    assert.doesNotMatch(hosts, /240\.0\.0\.1 (localhost|10\.|reg\.corp)/);
  });

  it('writes nothing into a daemon.json that it cannot read', async () => {
    for (const text of ['{ broken', '[]']) {
      machine.put('/etc/docker/daemon.json', text);
      const { code, stderr } = await setUp('docker', '--apply');
      assert.equal(code, 1);
      assert.match(stderr, /daemon\.json: .*; mend or move it first/);
      assert.equal(machine.read('/etc/docker/daemon.json'), text);
    }
  });

  it('says which file it cannot write', async () => {
    machine.put('/etc/containers', 'a file where a folder belongs');
    const { code, stderr } = await setUp('podman', '--apply');
    assert.equal(code, 1);
    assert.match(stderr, /cannot write .*\/etc\/containers\/certs\.d\/reg\.corp:8443\/ca\.crt: /);
  });

  const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['an unknown client', ['rkt'], /the clients are docker, podman/],
    ['a name of every object', ['constructor'], /the clients are docker, podman/],
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
});
