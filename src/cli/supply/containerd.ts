import { type Plan, type PlannedFile, quoted, type SetupRequest, whole } from './plan.ts';

const HOSTS = '/etc/containerd/certs.d';
const CA = '/etc/containerd/dockgate-ca.crt';
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
      whole(CA, ca),
      whole(`${HOSTS}/${host}/hosts.toml`, hostsFile(`https://${host}`, false)),
      ...mirrors.map(({ registry, prefix }) =>
        whole(`${HOSTS}/${registry}/hosts.toml`, hostsFile(`https://${host}/v2/${prefix}`, true)),
      ),
      whole(
        `${HOSTS}/_default/hosts.toml`,
        `# All that has no folder beside this one.\nserver = ${quoted(NOWHERE)}\n`,
      ),
      config,
    ],
    notes: [
      `a config.toml of your own needs config_path = "${HOSTS}" under the CRI plugin's registry`,
      `ctr is told with each command: ctr images pull --hosts-dir ${HOSTS}`,
      'restart it: systemctl restart containerd',
    ],
  };
}

const CONFIG = `version = 2

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "${HOSTS}"
`;

/** The server and its host are the same: a second try ends where the first did. */
function hostsFile(url: string, isMirror: boolean): string {
  const override = isMirror ? ['override_path = true'] : [];
  return [
    `server = ${quoted(url)}`,
    `ca = ${quoted(CA)}`,
    ...override,
    ...(isMirror ? ['capabilities = ["pull", "resolve"]'] : []),
    '',
    `[host.${quoted(url)}]`,
    `  ca = ${quoted(CA)}`,
    ...override.map((line) => `  ${line}`),
    ...(isMirror ? ['  capabilities = ["pull", "resolve"]'] : []),
    '',
  ].join('\n');
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
    ...mirrors.flatMap(({ registry, prefix }) => [
      `  ${quoted(registry)}:`,
      `    endpoint: [${quoted(`https://${host}`)}]`,
      `    rewrite: { "^(.*)$": ${quoted(`${prefix}/$1`)} }`,
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
      whole('/etc/rancher/k3s/registries.yaml', text.join('\n')),
      whole('/etc/rancher/k3s/config.yaml.d/dockgate.yaml', 'disable-default-registry-endpoint: true\n'),
    ],
    notes: [
      'k3s before 1.30 has no disable-default-registry-endpoint and falls back to the origin: close it in the firewall',
      'restart it: systemctl restart k3s',
    ],
  };
}
