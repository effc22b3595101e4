import { type Hole, type Machine, namesBelow, parsed, readBelow } from './holes.ts';
import { KNOWN_REGISTRIES, NOWHERE, namesOf, OF_DOCKER } from './places.ts';

const CONFIG = `${OF_DOCKER}/daemon.json`;
const HOSTS = '/etc/hosts';
const MEND = 'dockgate client-setup docker --apply, then restart docker';
/** Options of the daemon are also given where it is started. */
const UNITS = '/etc/systemd/system/docker.service.d';
const STARTS: readonly string[] = [
  '/etc/default/docker',
  '/etc/sysconfig/docker',
  '/etc/systemd/system/docker.service',
];
const OPTIONS = /^[^#\n]*(--registry-mirror|--insecure-registry|HTTPS?_PROXY)\b/im;

/** Ways of the docker daemon around the gateway. */
export function dockerHoles(machine: Machine): readonly Hole[] {
  if (namesBelow(machine, OF_DOCKER).length === 0) return [];
  const text = readBelow(machine, CONFIG) ?? '{}';
  const { value, holes } = parsed('docker', CONFIG, text, JSON.parse);
  const found = [...holes];
  for (const mirror of textsOf(value['registry-mirrors'])) {
    found.push(hole(CONFIG, `registry-mirrors ${mirror}: docker falls back to Docker Hub when it refuses`));
  }
  for (const insecure of textsOf(value['insecure-registries'])) {
    const says = `insecure-registries ${insecure}: nobody proves there to be the registry`;
    found.push(hole(CONFIG, says, `remove it from ${CONFIG}`));
  }
  if (value.proxies !== undefined) {
    found.push(
      hole(CONFIG, 'proxies: a proxy reaches what this machine does not', `remove it from ${CONFIG}`),
    );
  }
  return [...found, ...startHoles(machine), ...nameHoles(machine)];
}

function startHoles(machine: Machine): readonly Hole[] {
  const paths = [...STARTS, ...namesBelow(machine, UNITS).map((name) => `${UNITS}/${name}`)];
  return paths.flatMap((path) => {
    const option = OPTIONS.exec(readBelow(machine, path) ?? '')?.[1];
    if (option === undefined) return [];
    return [hole(path, `${option}: not the gateway alone decides what is pulled`, `remove it from ${path}`)];
  });
}

/** docker has no setting that blocks a registry, so its name must lead nowhere. */
function nameHoles(machine: Machine): readonly Hole[] {
  const lines = (readBelow(machine, HOSTS) ?? '').split('\n').map((line) => line.replace(/#.*/, '').trim());
  const closed = new Set(
    lines.flatMap((line) => {
      const [address, ...names] = line.split(/\s+/);
      return address === NOWHERE ? names : [];
    }),
  );
  return KNOWN_REGISTRIES.flatMap((registry) => {
    if (closed.has(namesOf(registry)[0])) return [];
    return [hole(HOSTS, `${registry} is pulled directly: docker cannot block it, and its name leads there`)];
  });
}

function hole(where: string, text: string, mend = MEND): Hole {
  return { client: 'docker', where, text, mend };
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
