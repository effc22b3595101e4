import type { Dockgate } from '../support/dockgate.ts';
import { goProgram } from '../support/go-program.ts';
import { run } from '../support/run.ts';
import {
  buildahClient,
  type ContainerClient,
  dockerClient,
  podmanClient,
  skopeoClient,
} from './container-client.ts';
import { CONTAINERD_1, CONTAINERD_2, type Containerd, startContainerd } from './containerd-daemon.ts';
import { crictlClient, startCrio } from './crio-daemon.ts';
import { ctrClient } from './ctr-client.ts';
import { docker2aciClient } from './docker2aci-client.ts';
import { startDockerd } from './dockerd.ts';
import { craneClient, orasClient, regctlClient } from './go-clients.ts';
import { lxcClient } from './lxc-client.ts';

/** A program to record, with the daemon it needs. */
export interface RecordedClient {
  /** Of its file in `test/clients/transcripts`. */
  readonly name: string;
  readonly version: readonly string[];
  open(server: Dockgate): Promise<OpenClient>;
  /** It keeps a wrong password unchecked until it pulls. */
  readonly signsInUnchecked?: boolean;
  readonly pullsOnly?: boolean;
  /** It cannot be told another platform. */
  readonly hasOnePlatform?: boolean;
}

export interface OpenClient {
  /** With an empty home. */
  create(): ContainerClient;
  close(): Promise<void>;
}

function plain(
  name: string,
  create: (server: Dockgate) => ContainerClient,
  version: readonly string[],
): RecordedClient {
  return {
    ...{ name, version },
    open: async (server) => ({ create: () => create(server), close: async () => undefined }),
  };
}

const docker: RecordedClient = {
  name: 'docker',
  // The daemon speaks, whichever program told it to.
  version: ['dockerd', '--version'],
  async open(server) {
    const daemon = await startDockerd();
    return { create: () => dockerClient(server, daemon.socket), close: daemon.stop };
  },
};

function containerd(name: string, programs: Containerd): RecordedClient {
  return {
    name,
    version: [programs.ctr, '--version'],
    async open(server) {
      const daemon = await startContainerd(programs);
      return { create: () => ctrClient(server, programs, daemon), close: daemon.stop };
    },
    signsInUnchecked: true,
  };
}

const crio: RecordedClient = {
  name: 'cri-o',
  version: ['crio', '--version'],
  async open(server) {
    const daemon = await startCrio(server);
    return { create: () => crictlClient(server, daemon), close: daemon.stop };
  },
  ...{ signsInUnchecked: true, pullsOnly: true, hasOnePlatform: true },
};

export const RECORDED_CLIENTS: readonly RecordedClient[] = [
  plain('skopeo', skopeoClient, ['skopeo', '--version']),
  plain('podman', podmanClient, ['podman', '--version']),
  docker,
  plain('buildah', buildahClient, ['buildah', '--version']),
  { ...plain('crane', craneClient, [goProgram('crane'), 'version']), signsInUnchecked: true },
  plain('oras', orasClient, [goProgram('oras'), 'version']),
  plain('regctl', regctlClient, [goProgram('regctl'), 'version']),
  containerd('containerd-2', CONTAINERD_2),
  containerd('containerd-1.6', CONTAINERD_1),
  { ...plain('lxc', lxcClient, ['lxc-create', '--version']), pullsOnly: true, hasOnePlatform: true },
  crio,
  {
    ...plain('docker2aci', docker2aciClient, ['docker2aci', '-version']),
    ...{ signsInUnchecked: true, pullsOnly: true, hasOnePlatform: true },
  },
];

/** The first line that it prints. */
export async function versionOf({ name, version: [command = '', ...args] }: RecordedClient): Promise<string> {
  const { code, output } = await run(command, args);
  if (code !== 0) throw new Error(`${name} does not run here: ${output}`);
  const version = /\d+\.\d+[^\s,+~]*/.exec(output)?.[0];
  return version === undefined ? name : `${name} ${version}`;
}
