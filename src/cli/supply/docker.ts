import { isIP } from 'node:net';
import { KNOWN_REGISTRIES, NOWHERE, namesOf, OF_DOCKER } from './places.ts';
import { type Plan, type SetupRequest, whole } from './plan.ts';

const BEGIN = '# dockgate: begin';
const END = '# dockgate: end';

/**
 * The daemon asks `registry-mirrors` first and Docker Hub itself when they refuse: a refusal would be no refusal. So
 * there is none; images are named by the gateway, and the names of other registries lead nowhere, since docker has no
 * setting that blocks one.
 */
export function planDocker({ host, ca, mirrors }: SetupRequest): Plan {
  const registries = new Set([...mirrors.map(({ registry }) => registry), ...KNOWN_REGISTRIES]);
  const closed = [...registries].flatMap(namesOf).filter((name) => canBeClosed(name, host));
  return {
    files: [
      whole(`${OF_DOCKER}/certs.d/${host}/ca.crt`, ca),
      { path: `${OF_DOCKER}/daemon.json`, text: (before) => mergeDaemon(before, host) },
      {
        path: '/etc/hosts',
        text: (before = '') =>
          withBlock(
            before,
            closed.map((name) => name.replace(/:\d+$/, '')),
          ),
      },
    ],
    notes: [
      'restart the daemon: systemctl restart docker',
      'docker falls back to Docker Hub from any registry-mirrors, so none is set: name images by the gateway',
      ...mirrors.map(({ registry, prefix }) => `  ${registry}/NAME is ${host}/${prefix}/NAME`),
      'registries that are not in /etc/hosts are closed in the firewall alone: docker has no setting for it',
      'not on the machine where dockgate itself runs: it would not reach them either',
    ],
  };
}

/** An address has no name to close, and this machine's or the gateway's name must lead where it led. */
function canBeClosed(name: string, host: string): boolean {
  const { hostname } = new URL(`https://${name}`);
  const isAddress = isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0;
  return !isAddress && hostname !== 'localhost' && hostname !== new URL(`https://${host}`).hostname;
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
