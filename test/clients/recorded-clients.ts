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
import { startDockerd } from './dockerd.ts';
import { craneClient, orasClient, regctlClient } from './go-clients.ts';

/** A program to record, with the daemon it needs. */
export interface RecordedClient {
  /** Of its file in `test/clients/transcripts`. */
  readonly name: string;
  readonly version: readonly string[];
  open(server: Dockgate): Promise<OpenClient>;
  /** It keeps a wrong password unchecked until it pulls. */
  readonly signsInUnchecked?: boolean;
  readonly pullsOnly?: boolean;
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

export const RECORDED_CLIENTS: readonly RecordedClient[] = [
  plain('skopeo', skopeoClient, ['skopeo', '--version']),
  plain('podman', podmanClient, ['podman', '--version']),
  docker,
  plain('buildah', buildahClient, ['buildah', '--version']),
  { ...plain('crane', craneClient, [goProgram('crane'), 'version']), signsInUnchecked: true },
  plain('oras', orasClient, [goProgram('oras'), 'version']),
  plain('regctl', regctlClient, [goProgram('regctl'), 'version']),
];

/** The first line that it prints. */
export async function versionOf({ name, version: [command = '', ...args] }: RecordedClient): Promise<string> {
  const { code, output } = await run(command, args);
  if (code !== 0) throw new Error(`${name} does not run here: ${output}`);
  const version = /v?\d+\.\d+[^\s,]*/.exec(output)?.[0];
  return version === undefined ? name : `${name} ${version}`;
}
