import { type Plan, type PlannedFile, type SetupRequest, whole } from './plan.ts';

/** Nothing is routed there, so a connection fails at once (RFC 1112, class E). */
const NOWHERE = '240.0.0.1';
const BEGIN = '# dockgate: begin';
const END = '# dockgate: end';

/** Names under which docker asks a registry. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'docker.io': ['registry-1.docker.io', 'index.docker.io', 'auth.docker.io'],
};

/**
 * The daemon asks `registry-mirrors` first and Docker Hub itself when they refuse: a refusal would be no refusal. So
 * there is none; images are named by the gateway, and the origin's names lead nowhere.
 */
export function planDocker({ host, ca, mirrors }: SetupRequest): Plan {
  const closed = mirrors.flatMap(({ registry }) => NAMES[registry] ?? [registry]);
  const hosts: PlannedFile = { path: '/etc/hosts', text: (before = '') => withBlock(before, closed) };
  return {
    files: [
      whole(`/etc/docker/certs.d/${host}/ca.crt`, ca),
      { path: '/etc/docker/daemon.json', text: (before) => mergeDaemon(before, host) },
      ...(closed.length > 0 ? [hosts] : []),
    ],
    notes: [
      'restart the daemon: systemctl restart docker',
      'docker falls back to Docker Hub from any registry-mirrors, so none is set: name images by the gateway',
      ...mirrors.map(({ registry, prefix }) => `  ${registry}/NAME is ${host}/${prefix}/NAME`),
      'close the way to all other registries in the firewall: docker has no setting for it',
    ],
  };
}

function mergeDaemon(before: string | undefined, host: string): string {
  const known: unknown = before === undefined || before.trim() === '' ? {} : JSON.parse(before);
  if (typeof known !== 'object' || known === null || Array.isArray(known)) {
    throw new Error('holds no JSON object');
  }
  const insecure: unknown = 'insecure-registries' in known ? known['insecure-registries'] : [];
  const others = Array.isArray(insecure) ? insecure.filter((one) => one !== host) : [];
  const merged = { ...known, 'registry-mirrors': [], 'insecure-registries': others };
  return `${JSON.stringify(merged, undefined, 2)}\n`;
}

function withBlock(before: string, names: readonly string[]): string {
  const kept: string[] = [];
  let isOurs = false;
  for (const line of before.split('\n')) {
    if (line === BEGIN) isOurs = true;
    if (!isOurs) kept.push(line);
    if (line === END) isOurs = false;
  }
  const own = kept.join('\n').replace(/\n*$/, '\n');
  const lines = [BEGIN, ...names.map((name) => `${NOWHERE} ${name}`), END, ''];
  return `${own === '\n' ? '' : own}${lines.join('\n')}`;
}
