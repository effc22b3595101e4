import {
  asRecord,
  type Hole,
  listIn,
  type Machine,
  namesBelow,
  parsed,
  parseToml,
  readBelow,
} from './holes.ts';
import { KNOWN_REGISTRIES, OF_CONTAINERS } from './places.ts';

const MAIN = `${OF_CONTAINERS}/registries.conf`;
const FOLDER = `${OF_CONTAINERS}/registries.conf.d`;
const OWN = '.config/containers';
const CLIENT = 'podman';
const MEND = 'dockgate client-setup podman --apply (the same for skopeo, cri-o and lxc)';

interface Entry {
  readonly path: string;
  readonly value: Record<string, unknown>;
}

/** Ways of podman, buildah, skopeo, CRI-O and LXC around the gateway. @see containers-registries.conf(5) */
export function containersHoles(machine: Machine): readonly Hole[] {
  if (namesBelow(machine, OF_CONTAINERS).length === 0) return [];
  const found: Hole[] = [...ownFileHoles(machine)];
  const entries = new Map<string, Entry>();
  let search: { readonly path: string; readonly names: readonly string[] } | undefined;
  for (const path of [
    MAIN,
    ...namesBelow(machine, FOLDER)
      .filter(isConf)
      .map((name) => `${FOLDER}/${name}`),
  ]) {
    const text = readBelow(machine, path);
    if (text === undefined) continue;
    const { value, holes } = parsed(CLIENT, path, text, parseToml);
    found.push(...holes);
    const names = value['unqualified-search-registries'];
    if (Array.isArray(names)) search = { path, names: names.map(String) };
    // A later file's entry takes the place of an earlier one of the same prefix.
    for (const entry of listIn(value, 'registry')) {
      entries.set(String(entry.prefix ?? entry.location ?? ''), { path, value: entry });
    }
  }
  for (const name of search?.names ?? []) {
    if (isGateway(machine, name)) continue;
    const text = `unqualified-search-registries ${name}: a short name is pulled from there`;
    found.push(hole(search?.path ?? MAIN, text));
  }
  for (const [prefix, entry] of entries) found.push(...entryHoles(machine, prefix, entry));
  for (const registry of KNOWN_REGISTRIES) {
    if (!entries.has(registry)) found.push(hole(FOLDER, `${registry} is neither blocked nor mirrored`));
  }
  return found;
}

function entryHoles(machine: Machine, prefix: string, { path, value }: Entry): readonly Hole[] {
  if (value.blocked === true) return [];
  const found: Hole[] = [];
  if (value.insecure === true)
    found.push(hole(path, `${prefix} is insecure: nobody proves there to be the registry`));
  const location = String(value.location ?? prefix);
  if (!isGateway(machine, location)) {
    const after = listIn(value, 'mirror').length > 0 ? ', after its mirrors refuse' : '';
    found.push(hole(path, `${prefix} is pulled from ${location}${after}`));
  }
  for (const mirror of listIn(value, 'mirror')) {
    const place = String(asRecord(mirror).location ?? '');
    if (!isGateway(machine, place)) found.push(hole(path, `${prefix} has the mirror ${place}`));
  }
  return found;
}

/** What a user has there takes the place of the machine's. */
function ownFileHoles(machine: Machine): readonly Hole[] {
  const homes = ['/root', ...namesBelow(machine, '/home').map((name) => `/home/${name}`)];
  return homes.flatMap((home) => {
    const names = namesBelow(machine, `${home}/${OWN}`).filter((name) => name.startsWith('registries.conf'));
    return names.map((name) =>
      hole(`${home}/${OWN}/${name}`, "takes the place of the machine's registries.conf", 'remove it'),
    );
  });
}

function isConf(name: string): boolean {
  return name.endsWith('.conf');
}

function isGateway({ host }: Machine, location: string): boolean {
  return location === host || location.startsWith(`${host}/`);
}

function hole(where: string, text: string, mend = MEND): Hole {
  return { client: CLIENT, where, text, mend };
}
