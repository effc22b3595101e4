import { posix } from 'node:path';
import { type Handshake, shakeHands } from './handshake.ts';
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
import { CONTAINERD_HOSTS, K3S_REGISTRIES, OF_CONTAINERS, OF_DOCKER } from './places.ts';

/** The certificates by which a client is to know the gateway. */
interface Authority {
  readonly client: string;
  readonly where: string;
  /** `undefined`: there is no such file, or nothing names one. */
  readonly pem: string | undefined;
}

/** Who does not know the gateway's CA gets no image from it, and is soon told not to check certificates at all. */
export function authorityHoles(machine: Machine): readonly Hole[] {
  return authoritiesOf(machine).flatMap(({ client, where, pem }) =>
    pem === undefined ? [hole({ client, where }, "does not know the gateway's CA")] : [],
  );
}

/** Meets the gateway as each client would: with the client's CA and no other. */
export async function handshakeHoles(machine: Machine): Promise<readonly Hole[]> {
  const known = authoritiesOf(machine).filter(({ pem }) => pem !== undefined);
  const found = await Promise.all(
    known.map(async (authority): Promise<readonly Hole[]> => {
      const met = await shakeHands(machine.host, authority.pem ?? '');
      return met.kind === 'trusted' ? [] : [failed(machine, authority, met)];
    }),
  );
  return found.flat();
}

function failed({ host }: Machine, authority: Authority, met: Exclude<Handshake, { kind: 'trusted' }>): Hole {
  if (met.kind === 'untrusted') {
    return hole(authority, `is not the CA of the gateway that answers at ${host}: ${met.reason}`);
  }
  return {
    client: authority.client,
    where: `https://${host}`,
    text: 'nothing answers there: whether the client knows its CA is not known',
    mend: 'start the gateway, or give its name and port with --host',
  };
}

function authoritiesOf(machine: Machine): readonly Authority[] {
  const { host } = machine;
  const has = (folder: string) => namesBelow(machine, folder).length > 0;
  const ofDocker = `/etc/docker/certs.d/${host}/ca.crt`;
  const ofContainers = `/etc/containers/certs.d/${host}/ca.crt`;
  const found: Authority[] = [];
  const add = (client: string, where: string, pem: string | undefined) => found.push({ client, where, pem });
  if (has(OF_DOCKER) && !isLoopback(host)) add('docker', ofDocker, readBelow(machine, ofDocker));
  // podman and its kin look into docker's folder, too.
  if (has(OF_CONTAINERS)) {
    add('podman', ofContainers, readBelow(machine, ofContainers) ?? readBelow(machine, ofDocker));
  }
  if (has('/etc/containerd')) {
    const path = containerdPath(machine);
    add('containerd', path ?? `${CONTAINERD_HOSTS}/${host}/hosts.toml`, path && readBelow(machine, path));
  }
  if (has('/etc/rancher/k3s')) {
    const path = k3sPath(machine);
    add('k3s', path ?? K3S_REGISTRIES, path && readBelow(machine, path));
  }
  return found;
}

/** docker checks no certificate there. */
function isLoopback(host: string): boolean {
  return /^(?:localhost|127\.)/.test(host);
}

/** A file that cannot be parsed is a hole of its own, found where its other settings are read. */
function containerdPath(machine: Machine): string | undefined {
  const folder = `${CONTAINERD_HOSTS}/${machine.host}`;
  const text = readBelow(machine, `${folder}/hosts.toml`);
  if (text === undefined) return undefined;
  const { ca } = parsed('containerd', folder, text, parseToml).value;
  const first: unknown = Array.isArray(ca) ? ca[0] : ca;
  return typeof first === 'string' ? posix.resolve(folder, first) : undefined;
}

function k3sPath(machine: Machine): string | undefined {
  const text = readBelow(machine, K3S_REGISTRIES) ?? '{}';
  const { configs } = parsed('k3s', K3S_REGISTRIES, text, parseYaml).value;
  const path = asRecord(asRecord(asRecord(configs)[machine.host]).tls).ca_file;
  return typeof path === 'string' ? path : undefined;
}

function hole({ client, where }: Pick<Authority, 'client' | 'where'>, text: string): Hole {
  return {
    client,
    where,
    text,
    mend: `dockgate client-setup ${client} --ca CA --apply, CA being the gateway's ca.crt`,
  };
}
