import {
  asRecord,
  type Hole,
  type Machine,
  namesBelow,
  parsed,
  parseToml,
  parseYaml,
  readBelow,
} from './holes.ts';
import { CONTAINERD_HOSTS as HOSTS, K3S_REGISTRIES as REGISTRIES } from './places.ts';

const CONFIG = '/etc/containerd/config.toml';
const MEND = 'dockgate client-setup containerd --apply';

/** Ways of containerd around the gateway. @see containerd docs/hosts.md */
export function containerdHoles(machine: Machine): readonly Hole[] {
  if (namesBelow(machine, '/etc/containerd').length === 0) return [];
  const found: Hole[] = [];
  const hole = (where: string, text: string, mend = MEND) =>
    found.push({ client: 'containerd', where, text, mend });
  const config = readBelow(machine, CONFIG);
  // Anywhere in it: the plugin's name differs from version to version.
  if (config === undefined || !/^\s*config_path\s*=\s*['"]\/etc\/containerd\/certs\.d['"]/m.test(config)) {
    hole(
      CONFIG,
      'the CRI plugin does not look into certs.d',
      `set config_path = "${HOSTS}" under its registry`,
    );
  }
  const folders = namesBelow(machine, HOSTS);
  if (!folders.includes('_default'))
    hole(`${HOSTS}/_default`, 'registries without a folder are asked directly');
  for (const folder of folders) {
    const path = `${HOSTS}/${folder}/hosts.toml`;
    const text = readBelow(machine, path);
    if (text === undefined) {
      hole(path, `is not there: ${folder} is asked directly`);
      continue;
    }
    const { value, holes } = parsed('containerd', path, text, parseToml);
    found.push(...holes);
    if (holes.length > 0) continue;
    const server = typeof value.server === 'string' ? value.server : `https://${folder}`;
    if (!isGateway(machine, server)) hole(path, `falls back to ${server}`);
    if (value.skip_verify === true) hole(path, `does not check the certificate of ${server}`);
    const hosts = Object.entries(asRecord(value.host));
    if (hosts.length === 0)
      hole(path, `names no host: containerd 1.6 takes it for broken and asks ${folder}`);
    for (const [url, options] of hosts) {
      if (!isGateway(machine, url)) hole(path, `asks ${url}`);
      if (asRecord(options).skip_verify === true) hole(path, `does not check the certificate of ${url}`);
    }
  }
  return found;
}

const K3S = '/etc/rancher/k3s';

/** Ways of k3s around the gateway. */
export function k3sHoles(machine: Machine): readonly Hole[] {
  if (namesBelow(machine, K3S).length === 0) return [];
  const mend = 'dockgate client-setup k3s --apply';
  const found: Hole[] = [];
  const hole = (where: string, text: string) => found.push({ client: 'k3s', where, text, mend });
  const paths = [
    `${K3S}/config.yaml`,
    ...namesBelow(machine, `${K3S}/config.yaml.d`).map((name) => `${K3S}/config.yaml.d/${name}`),
  ];
  const isClosed = paths.some((path) =>
    /^\s*disable-default-registry-endpoint:\s*true\s*$/m.test(readBelow(machine, path) ?? ''),
  );
  if (!isClosed)
    hole(
      `${K3S}/config.yaml`,
      'asks the origin after its mirrors: disable-default-registry-endpoint is not set',
    );
  const { value, holes } = parsed('k3s', REGISTRIES, readBelow(machine, REGISTRIES) ?? '{}', parseYaml);
  found.push(...holes);
  const mirrors = asRecord(value.mirrors);
  if (!Object.hasOwn(mirrors, '*'))
    hole(REGISTRIES, 'registries without a mirror are asked directly: there is no "*"');
  for (const [registry, mirror] of Object.entries(mirrors)) {
    const { endpoint } = asRecord(mirror);
    for (const url of Array.isArray(endpoint) ? endpoint.map(String) : []) {
      if (!isGateway(machine, url)) hole(REGISTRIES, `${registry} is pulled from ${url}`);
    }
  }
  for (const [registry, options] of Object.entries(asRecord(value.configs))) {
    const isUnchecked = asRecord(asRecord(options).tls).insecure_skip_verify === true;
    if (isUnchecked) hole(REGISTRIES, `does not check the certificate of ${registry}`);
  }
  return found;
}

/** The gateway by TLS, or a name that no name server knows (RFC 6761). */
function isGateway({ host }: Machine, url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, host: named, hostname } = new URL(url);
  const gateway = new URL(`https://${host}`).host;
  return (protocol === 'https:' && named === gateway) || hostname.endsWith('.invalid');
}
