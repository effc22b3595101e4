import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dockgate } from '../support/dockgate.ts';
import { goProgram } from '../support/go-program.ts';
import { run } from '../support/run.ts';
import { type Daemon, startDaemon } from './daemon.ts';

/** Which containerd: Debian's, or the one that test/setup.sh builds. */
export interface Containerd {
  readonly containerd: string;
  readonly ctr: string;
  /** Of its configuration file. */
  readonly configVersion: 2 | 3;
  readonly disabledPlugins: readonly string[];
}

/** Today's. The CRI plugins want a network. */
export const CONTAINERD_2: Containerd = {
  containerd: goProgram('containerd'),
  ctr: goProgram('ctr'),
  configVersion: 3,
  disabledPlugins: [
    'io.containerd.grpc.v1.cri',
    'io.containerd.cri.v1.images',
    'io.containerd.cri.v1.runtime',
  ],
};

/** Debian's, 1.6. */
export const CONTAINERD_1: Containerd = {
  containerd: 'containerd',
  ctr: 'ctr',
  configVersion: 2,
  disabledPlugins: ['io.containerd.grpc.v1.cri'],
};

/** All its files lie in a folder of its own; the CRI plugin, which wants a network, stays out. */
export function startContainerd(programs: Containerd): Promise<Daemon> {
  return startDaemon(
    programs.containerd,
    (directory, socket) => {
      const config = join(directory, 'config.toml');
      writeFileSync(
        config,
        `version = ${programs.configVersion}
root = "${directory}/root"
state = "${directory}/state"
disabled_plugins = ${JSON.stringify(programs.disabledPlugins)}
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${directory}/ttrpc.sock"
`,
      );
      return ['--config', config];
    },
    async (socket) => (await run(programs.ctr, ['--address', socket, 'version'])).code === 0,
  );
}

/** @returns the folder for `--hosts-dir`, which tells the server's CA. */
export function writeHosts(directory: string, server: Pick<Dockgate, 'host' | 'caPath'>): string {
  const hosts = join(directory, 'certs.d');
  mkdirSync(join(hosts, server.host), { recursive: true });
  const here = `"https://${server.host}"`;
  // The `server` line is a host of its own, which needs its own CA.
  writeFileSync(
    join(hosts, server.host, 'hosts.toml'),
    `server = ${here}\nca = "${server.caPath}"\n[host.${here}]\n  ca = "${server.caPath}"\n`,
  );
  return hosts;
}
