import { CONTAINERD_HOSTS as HOSTS, K3S_REGISTRIES } from './places.ts';
import { type Mirror, type Plan, type PlannedFile, quoted, type SetupRequest, whole } from './plan.ts';

/** Beside each hosts.toml, which names it so. */
const CA = 'ca.crt';
/** No name server ever knows it (RFC 6761), so nothing is pulled from a registry that has no file of its own. */
const NOWHERE = 'https://closed-by-dockgate.invalid';

/**
 * `server` is where containerd goes when the hosts above it fail: unless it is the gateway, that is the origin.
 *
 * @see containerd docs/hosts.md
 */
export function planContainerd({ host, ca, mirrors }: SetupRequest): Plan {
  const config: PlannedFile = {
    path: '/etc/containerd/config.toml',
    text: (before) => (before === undefined || before.trim() === '' ? CONFIG : before),
  };
  return {
    files: [
      ...[host, ...mirrors.map(({ registry }) => registry)].flatMap((registry) => [
        whole(`${HOSTS}/${registry}/hosts.toml`, hostsFile(`https://${host}`, registry !== host)),
        whole(`${HOSTS}/${registry}/${CA}`, ca),
      ]),
      whole(`${HOSTS}/_default/hosts.toml`, CLOSED),
      config,
    ],
    notes: [
      `a config.toml of your own needs config_path = "${HOSTS}" under the CRI plugin's registry`,
      `ctr is told with each command: ctr images pull --hosts-dir ${HOSTS}`,
      'restart it: systemctl restart containerd',
      ...mirrors.map(mirrorNote),
    ],
  };
}

/** Of all that has no folder. containerd 1.6 takes a file without any `host` for broken and asks the origin. */
const CLOSED = `server = ${quoted(NOWHERE)}

[host.${quoted(NOWHERE)}]
`;

const CONFIG = `version = 2

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "${HOSTS}"
`;

/** The server and its host are the same: a second try ends where the first did. */
function hostsFile(url: string, isMirror: boolean): string {
  const capabilities = isMirror ? ['capabilities = ["pull", "resolve"]'] : [];
  return [
    `server = ${quoted(url)}`,
    `ca = ${quoted(CA)}`,
    ...capabilities,
    '',
    `[host.${quoted(url)}]`,
    `  ca = ${quoted(CA)}`,
    ...capabilities.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

/** No prefix is written here: containerd says with each request in whose place it asks, and the gateway puts it before. */
function mirrorNote({ registry, prefix }: Mirror): string {
  return `the gateway must have ${registry} among the mirrors of its upstream ${prefix} (upstreams[].mirrors)`;
}

const K3S_CA = '/etc/rancher/k3s/dockgate-ca.crt';

/**
 * k3s asks the origin after its mirrors unless told not to (1.30 and later).
 *
 * @see k3s documentation, "Private Registry Configuration"
 */
export function planK3s({ host, ca, mirrors }: SetupRequest): Plan {
  const text = [
    'mirrors:',
    `  ${quoted(host)}:`,
    `    endpoint: [${quoted(`https://${host}`)}]`,
    ...mirrors.flatMap(({ registry }) => [
      `  ${quoted(registry)}:`,
      `    endpoint: [${quoted(`https://${host}`)}]`,
    ]),
    '  "*":',
    `    endpoint: [${quoted(NOWHERE)}]`,
    'configs:',
    `  ${quoted(host)}:`,
    `    tls: { ca_file: ${quoted(K3S_CA)} }`,
    '',
  ];
  return {
    files: [
      whole(K3S_CA, ca),
      whole(K3S_REGISTRIES, text.join('\n')),
      whole('/etc/rancher/k3s/config.yaml.d/dockgate.yaml', 'disable-default-registry-endpoint: true\n'),
    ],
    notes: [
      'k3s before 1.30 has no disable-default-registry-endpoint and falls back to the origin: close it in the firewall',
      'restart it: systemctl restart k3s',
      ...mirrors.map(mirrorNote),
    ],
  };
}
