import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { createTestCertificate } from '../support/certificates.ts';
import { runHere } from '../support/cli-here.ts';
import { type ClientRoot, makeClientRoot } from './client-root.ts';

const HOST = 'reg.corp:8443';
const PEM = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n';
const CONF = '/etc/containers/registries.conf.d/zzz.conf';
const HOSTS = '/etc/containerd/certs.d';

/** Asks loopback addresses only: every public registry is left out, or every probe is. */
describe('dockgate client-doctor', () => {
  let machine: ClientRoot;
  const servers: Server[] = [];
  beforeEach(() => {
    machine = makeClientRoot(PEM);
  });
  afterEach(async () => {
    machine.remove();
    for (const server of servers.splice(0)) {
      server.close();
      if (server.listening) await once(server, 'close');
    }
  });

  const setUp = async (client: string, host = HOST) => {
    const at = ['--host', host, '--ca', machine.ca, '--root', machine.root];
    const { code, stderr } = await runHere(['client-setup', client, ...at, '--apply']);
    assert.equal(code, 0, stderr);
  };
  const examine = (host: string, ...more: readonly string[]) =>
    runHere(['client-doctor', '--host', host, '--root', machine.root, ...more]);
  const listen = async (server: Server): Promise<number> => {
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    const address: AddressInfo | string | null = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  };

  const holes: readonly (readonly [client: string, path: string, text: string | undefined, found: RegExp])[] =
    [
      ['docker', '/etc/docker/daemon.json', '{"registry-mirrors":["https://m"]}', /falls back to Docker Hub/],
      [
        'docker',
        '/etc/docker/daemon.json',
        '{"insecure-registries":["r"]}',
        /insecure-registries r: nobody proves/,
      ],
      [
        'docker',
        '/etc/docker/daemon.json',
        '{"proxies":{"https-proxy":"http://p"}}',
        /proxies: a proxy reaches/,
      ],
      ['docker', '/etc/docker/daemon.json', '{', /daemon\.json: cannot be read/],
      [
        'docker',
        '/etc/default/docker',
        'DOCKER_OPTS="--registry-mirror=https://m"',
        /--registry-mirror: not the gateway/,
      ],
      [
        'docker',
        '/etc/systemd/system/docker.service.d/proxy.conf',
        '[Service]\nEnvironment=HTTPS_PROXY=http://p',
        /HTTPS_PROXY: not the gateway alone/,
      ],
      [
        'docker',
        '/etc/hosts',
        '240.0.0.1 quay.io\n# 240.0.0.1 ghcr.io\n',
        /hosts: ghcr\.io is pulled directly/,
      ],
      ['docker', `/etc/docker/certs.d/${HOST}/ca.crt`, undefined, /docker: .*does not know the gateway's CA/],
      ['podman', CONF, 'unqualified-search-registries = ["docker.io"]', /docker\.io: a short name is pulled/],
      [
        'podman',
        CONF,
        '[[registry]]\nprefix="quay.io"\nlocation="quay.io"',
        /quay\.io is pulled from quay\.io/,
      ],
      [
        'podman',
        CONF,
        `[[registry]]\nlocation="x.io"\n[[registry.mirror]]\nlocation="${HOST}"`,
        /pulled from x\.io, after its mirrors refuse/,
      ],
      [
        'podman',
        CONF,
        `[[registry]]\nlocation="${HOST}"\n[[registry.mirror]]\nlocation="x.io"`,
        /reg\.corp:8443 has the mirror x\.io/,
      ],
      ['podman', CONF, `[[registry]]\nlocation="${HOST}"\ninsecure=true`, /is insecure/],
      ['podman', CONF, '[[registry', /zzz\.conf: cannot be read/],
      [
        'podman',
        '/etc/containers/registries.conf.d/zz-dockgate.conf',
        '',
        /registry\.k8s\.io is neither blocked nor mirrored/,
      ],
      ['podman', '/home/bob/.config/containers/registries.conf', '', /takes the place of the machine's/],
      [
        'podman',
        `/etc/containers/certs.d/${HOST}/ca.crt`,
        undefined,
        /podman: .*does not know the gateway's CA/,
      ],
      [
        'containerd',
        `${HOSTS}/quay.io/hosts.toml`,
        `[host."https://${HOST}"]`,
        /falls back to https:\/\/quay\.io/,
      ],
      [
        'containerd',
        `${HOSTS}/quay.io/hosts.toml`,
        `server = "https://${HOST}"\nskip_verify = true`,
        /does not check the certificate/,
      ],
      [
        'containerd',
        `${HOSTS}/quay.io/hosts.toml`,
        `server = "https://${HOST}"\n[host."https://m.io"]\nskip_verify = true`,
        /asks https:\/\/m\.io/,
      ],
      [
        'containerd',
        `${HOSTS}/_default/hosts.toml`,
        `server = "https://${HOST}"`,
        /names no host: containerd 1\.6 takes it for broken and asks _default/,
      ],
      ['containerd', `${HOSTS}/quay.io/hosts.toml`, 'server =', /hosts\.toml: cannot be read/],
      ['containerd', `${HOSTS}/quay.io/other`, '', /is not there: quay\.io is asked directly/],
      ['containerd', '/etc/containerd/config.toml', 'version = 2', /does not look into certs\.d/],
      [
        'containerd',
        `${HOSTS}/${HOST}/hosts.toml`,
        `server = "https://${HOST}"`,
        /does not know the gateway's CA/,
      ],
      ['k3s', '/etc/rancher/k3s/config.yaml.d/dockgate.yaml', '', /asks the origin after its mirrors/],
      [
        'k3s',
        '/etc/rancher/k3s/registries.yaml',
        'mirrors: { "*": { endpoint: ["https://quay.io"] } }',
        /\* is pulled from https:\/\/quay\.io/,
      ],
      ['k3s', '/etc/rancher/k3s/registries.yaml', 'mirrors: {}', /there is no "\*"/],
      [
        'k3s',
        '/etc/rancher/k3s/registries.yaml',
        `configs: { "${HOST}": { tls: { insecure_skip_verify: true } } }`,
        /does not check the certificate of reg\.corp:8443/,
      ],
      ['k3s', '/etc/rancher/k3s/registries.yaml', 'mirrors: [', /registries\.yaml: cannot be read/],
      ['k3s', '/etc/rancher/k3s/dockgate-ca.crt', undefined, /k3s: .*does not know the gateway's CA/],
    ];
  for (const [client, path, text, found] of holes) {
    it(`finds what lets ${client} around the gateway: ${found.source}`, async () => {
      await setUp(client);
      if (text === undefined) machine.delete(path);
      else machine.put(path, text);
      const { code, stdout } = await examine(HOST, '--offline');
      assert.equal(code, 1);
      assert.match(stdout, found);
      const lines = stdout.trimEnd().split('\n');
      assert(lines.every((line, index) => line.startsWith(index % 2 === 0 ? 'HOLE  ' : '      mend: ')));
    });
  }

  it('passes over clients that are not installed', async () => {
    machine.put('/etc/hostname', 'bare');
    assert.equal((await examine(HOST, '--offline')).code, 0);
  });

  it('finds a registry that answers this machine, by HTTP, by TLS that nobody vouches for, or not at all', async () => {
    const plain = await listen(createServer((_request, response) => response.writeHead(401).end()));
    const { certificate, key } = createTestCertificate();
    const byTls = await listen(
      createTlsServer({ cert: certificate, key }, (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n')),
    );
    const mute = await listen(createTcpServer((socket) => socket.destroy()));
    const urls = [`http://127.0.0.1:${plain}`, `127.0.0.1:${byTls}`, `127.0.0.1:${mute}`];
    const { code, stdout } = await examine(
      HOST,
      '--json',
      '--no-public',
      ...urls.flatMap((url) => ['--origin', url]),
    );
    assert.equal(code, 1);
    const found: readonly { where: string; text: string; mend: string }[] = JSON.parse(stdout).holes;
    const textAt = (where: string) => found.find((one) => one.where === where)?.text;
    assert.equal(textAt(`http://127.0.0.1:${plain}`), 'answers (status 401) this machine directly');
    assert.equal(textAt(`https://127.0.0.1:${byTls}`), 'takes connections from this machine directly');
    assert.equal(textAt(`https://127.0.0.1:${mute}`), 'takes connections from this machine directly');
    assert(found.every(({ mend }) => mend.includes('firewall')));
  });

  it('finds nothing where nothing answers', async () => {
    const server = createTcpServer();
    const port = await listen(server);
    server.close();
    await once(server, 'close');
    const { code } = await examine(HOST, '--no-public', '--origin', `http://127.0.0.1:${port}`);
    assert.equal(code, 0);
  });

  it('refuses an origin that is no address', async () => {
    const { code, stderr } = await examine(HOST, '--origin', 'http://');
    assert.equal(code, 2);
    assert.match(stderr, /--origin http:\/\/: write a name or http:\/\/HOST:PORT/);
  });

  describe("meets the gateway with each client's CA", () => {
    let gateway: string;
    let pem: string;
    beforeEach(async () => {
      const authority = createTestCertificate();
      const own = createTestCertificate({ issuer: authority, names: ['localhost', '127.0.0.1'] });
      pem = authority.certificate;
      gateway = `127.0.0.1:${await listen(createTlsServer({ cert: own.certificate, key: own.key }))}`;
      machine.remove();
      machine = makeClientRoot(pem);
    });
    const CLIENTS = ['podman', 'containerd', 'k3s'];

    it('and is content when it knows it by that', async () => {
      for (const client of CLIENTS) await setUp(client, gateway);
      const { code, stdout } = await examine(gateway, '--no-public');
      assert.equal(code, 0, stdout);
    });

    it("and finds the CA that is not the gateway's", async () => {
      for (const client of CLIENTS) await setUp(client, gateway);
      const other = createTestCertificate().certificate;
      machine.put(`/etc/containers/certs.d/${gateway}/ca.crt`, other);
      machine.put(`${HOSTS}/${gateway}/ca.crt`, other);
      machine.put('/etc/rancher/k3s/dockgate-ca.crt', 'no certificate at all');
      const { code, stdout } = await examine(gateway, '--no-public');
      assert.equal(code, 1);
      for (const client of CLIENTS) {
        assert.match(
          stdout,
          new RegExp(`HOLE {2}${client}: .*is not the CA of the gateway that answers at 127`),
        );
        assert.match(stdout, new RegExp(`mend: dockgate client-setup ${client} --ca CA --apply`));
      }
    });

    it('and says when nothing answers there', async () => {
      const silent = createTcpServer();
      const host = `127.0.0.1:${await listen(silent)}`;
      silent.close();
      await once(silent, 'close');
      await setUp('podman', host);
      const { code, stdout } = await examine(host, '--no-public');
      assert.equal(code, 1);
      assert.match(stdout, /podman: https:\/\/127\S+: nothing answers there.*\n.*mend: start the gateway/);
    });
  });
});
