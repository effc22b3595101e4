import { type Hole, type Machine, namesBelow, parsed, readBelow } from './holes.ts';

const CONFIG = '/etc/docker/daemon.json';

/** Ways of the docker daemon around the gateway. */
export function dockerHoles(machine: Machine): readonly Hole[] {
  if (namesBelow(machine, '/etc/docker').length === 0) return [];
  const mend = 'dockgate client-setup docker --apply, then restart docker';
  const text = readBelow(machine, CONFIG) ?? '{}';
  const { value, holes } = parsed('docker', CONFIG, text, JSON.parse);
  const found = [...holes];
  for (const mirror of textsOf(value['registry-mirrors'])) {
    const says = `registry-mirrors ${mirror}: docker falls back to Docker Hub when it refuses`;
    found.push({ client: 'docker', where: CONFIG, text: says, mend });
  }
  for (const insecure of textsOf(value['insecure-registries'])) {
    const says = `insecure-registries ${insecure}: nobody proves there to be the registry`;
    found.push({ client: 'docker', where: CONFIG, text: says, mend: `remove it from ${CONFIG}` });
  }
  const ca = `/etc/docker/certs.d/${machine.host}/ca.crt`;
  if (readBelow(machine, ca) === undefined && !isLoopback(machine.host)) {
    found.push({ client: 'docker', where: ca, text: "does not know the gateway's CA", mend });
  }
  return found;
}

/** docker checks no certificate there. */
function isLoopback(host: string): boolean {
  return /^(?:localhost|127\.|\[::1\])/.test(host);
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
