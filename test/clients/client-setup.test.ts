import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ClientRoot, makeClientRoot } from '../cli/client-root.ts';
import { runHere } from '../support/cli-here.ts';
import { type CutLine, openCutLine } from '../support/cut-line.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';
import { run } from '../support/run.ts';
import { type Home, makeHome } from './container-client.ts';
import { type Containerd, startContainerd } from './containerd-daemon.ts';
import type { Daemon } from './daemon.ts';

const CREDENTIAL = 'alice:correct-horse-battery-9';
const DEBIAN: Containerd = {
  containerd: 'containerd',
  ctr: 'ctr',
  configVersion: 2,
  disabledPlugins: ['io.containerd.grpc.v1.cri'],
};

/**
 * Real clients with what `client-setup` wrote, and an origin that holds the image and answers everybody: a client that
 * fell back to it would get the image, and the line to it would have carried a connection.
 */
describe('a client that was set up', function () {
  this.timeout(120_000);
  let origin: DockerRegistry;
  let line: CutLine;
  let server: Dockgate;
  let machine: ClientRoot;
  let home: Home;
  let daemon: Daemon | undefined;
  /** What clients call the image. */
  let image: string;

  before(async () => {
    origin = await startDockerRegistry();
    line = await openCutLine(Number.POSITIVE_INFINITY);
    line.connect(Number(new URL(origin.url).port));
    const upstream = { prefix: 'hub', url: origin.url, mirrors: [`localhost:${line.port}`] };
    server = await startDockgate({ config: JSON.stringify({ upstreams: [upstream] }), workers: 1 });
    const [user = '', password = ''] = CREDENTIAL.split(':');
    await server.addUser(user, password, ['developer', 'hub/**']);
    await createPusher(server, CREDENTIAL).push(
      'hub/app',
      await buildImage({ config: { user: 'app' } }),
      '1',
    );
    image = `localhost:${line.port}/app:1`;
    machine = makeClientRoot(server.ca);
    machine.put('etc/nothing.conf', '');
    home = makeHome(server);
    signIn();
    for (const client of ['podman', 'containerd']) await setUp(client);
    daemon = await startContainerd(DEBIAN).catch((error: unknown) => {
      console.log(`SKIPPED: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    });
  });
  after(async () => {
    await daemon?.stop();
    home?.remove();
    machine?.remove();
    await server?.remove();
    await line?.close();
    await origin?.stop();
  });

  const setUp = async (client: string) => {
    const at = ['--host', server.host, '--ca', machine.ca, '--root', machine.root];
    const set = await runHere([
      'client-setup',
      client,
      ...at,
      '--mirror',
      `localhost:${line.port}=hub`,
      '--apply',
    ]);
    assert.equal(set.code, 0, set.stderr);
  };

  /** Signs in at the gateway: what `--creds` gives is for the registry that the image is named by, and not sent on. */
  const signIn = () => {
    const auths = { [server.host]: { auth: Buffer.from(CREDENTIAL).toString('base64') } };
    writeFileSync(join(home.directory, 'auth.json'), JSON.stringify({ auths }));
  };
  /** What client-setup wrote, or a file that says nothing: never what this machine has. */
  const registriesOf = (isSetUp: boolean) => {
    const path = isSetUp ? 'etc/containers/registries.conf.d/zz-dockgate.conf' : 'etc/nothing.conf';
    return join(machine.root, path);
  };
  const trust = (isSetUp: boolean) =>
    isSetUp
      ? ['--cert-dir', join(machine.root, 'etc/containers/certs.d', server.host)]
      : ['--tls-verify=false'];

  const skopeo = (name: string, isSetUp = true) => {
    const given = ['inspect', '--raw', ...trust(isSetUp), `docker://${name}`];
    const { environment } = home;
    return run('skopeo', ['--registries-conf', registriesOf(isSetUp), ...given], { environment });
  };
  const podman = async (name: string, isSetUp = true) => {
    const { directory } = home;
    const environment = { ...home.environment, CONTAINERS_REGISTRIES_CONF: registriesOf(isSetUp) };
    const storage = [
      ...['--root', join(directory, 'root'), '--runroot', join(directory, 'run'), '--storage-driver=vfs'],
      ...['--cgroup-manager=cgroupfs', '--events-backend=file'],
    ];
    // What is there already would not be asked for.
    await run('podman', [...storage, 'rmi', '-af'], { environment });
    return run('podman', [...storage, 'pull', ...trust(isSetUp), name], { environment });
  };
  const ctr = (name: string, isSetUp = true) => {
    const hosts = join(machine.root, 'etc/containerd/certs.d');
    const options = isSetUp ? ['--hosts-dir', hosts, '--user', CREDENTIAL] : ['--plain-http'];
    const at = ['--address', daemon?.socket ?? '', 'images', 'pull', '--snapshotter', 'native'];
    return run('ctr', [...at, ...options, name]);
  };

  const clients = [
    { name: 'skopeo', pull: skopeo, closed: /registry quay\.io is blocked/ },
    { name: 'podman', pull: podman, closed: /registry quay\.io is blocked/ },
    { name: 'containerd', pull: ctr, closed: /closed-by-dockgate\.invalid/ },
  ];
  const isThere = (name: string) => name !== 'containerd' || daemon !== undefined;

  for (const { name, pull, closed } of clients) {
    it(`${name} pulls the image of the origin through the gateway, and nothing of a registry without mirror`, async function () {
      if (!isThere(name)) this.skip();
      const pulled = await pull(image);
      assert.equal(pulled.code, 0, pulled.output);
      assert.match((await pull('quay.io/x/y:1')).output, closed);
      assert.equal(line.connections(), 0, 'the client asked the origin');
    });
  }

  describe('when the gateway is down', () => {
    before(() => server.stop());

    for (const { name, pull } of clients) {
      it(`${name} does not fall back to the origin`, async function () {
        if (!isThere(name)) this.skip();
        const refused = await pull(image);
        assert.notEqual(refused.code, 0, refused.output);
        assert.equal(line.connections(), 0, 'the client fell back to the origin');
      });
    }

    for (const { name, pull } of clients) {
      it(`${name} gets the image from the origin where nothing was set up`, async function () {
        if (!isThere(name)) this.skip();
        const before = line.connections();
        const direct = await pull(image, false);
        assert.equal(direct.code, 0, direct.output);
        assert(line.connections() > before);
      });
    }
  });
});
