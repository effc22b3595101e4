import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dockgate } from '../support/dockgate.ts';
import { goProgram } from '../support/go-program.ts';
import { type Ran, run } from '../support/run.ts';
import type { ContainerClient } from './container-client.ts';
import { type Daemon, startDaemon } from './daemon.ts';

/** Images alone: no network, no container is ever started. */
export function startCrio(server: Pick<Dockgate, 'caPath'>): Promise<Daemon> {
  return startDaemon(
    'crio',
    (directory, socket) => {
      for (const name of ['conf.d', 'net', 'exits', 'attach']) mkdirSync(join(directory, name));
      writeFileSync(join(directory, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
      const config = join(directory, 'crio.conf');
      writeFileSync(config, configOf(directory, socket));
      return ['--config', config, '--config-dir', join(directory, 'conf.d'), '--enable-nri=false'];
    },
    async (socket) => (await crictl(socket, 'version')).code === 0,
    { SSL_CERT_FILE: server.caPath, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  );
}

function configOf(directory: string, socket: string): string {
  return `[crio]
root = "${directory}/root"
runroot = "${directory}/run"
storage_driver = "vfs"
log_dir = "${directory}/log"
version_file = "${directory}/version"
version_file_persist = "${directory}/version-kept"
clean_shutdown_file = "${directory}/clean"
internal_wipe = false
[crio.api]
listen = "${socket}"
[crio.runtime]
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
default_runtime = "runc"
container_exits_dir = "${directory}/exits"
container_attach_socket_dir = "${directory}/attach"
pinns_path = "/bin/true"
[crio.runtime.runtimes.runc]
runtime_path = "/usr/sbin/runc"
monitor_path = "/usr/bin/conmon"
[crio.image]
signature_policy = "${directory}/policy.json"
[crio.network]
network_dir = "${directory}/net"
`;
}

export function crictl(socket: string, ...args: readonly string[]): Promise<Ran> {
  const endpoint = `unix://${socket}`;
  return run(goProgram('crictl'), ['-r', endpoint, '-i', endpoint, ...args]);
}

/** It shows the password with each pull and keeps none. It pushes nothing. */
export function crictlClient(server: Pick<Dockgate, 'host'>, daemon: Daemon): ContainerClient {
  let credential: readonly string[] = [];
  const done: Ran = { code: 0, output: '' };
  return {
    name: 'crictl',
    async login(user, password) {
      credential = ['--creds', `${user}:${password}`];
      return done;
    },
    async logout() {
      credential = [];
      return done;
    },
    push: async () => ({ code: 1, output: 'CRI-O pushes nothing' }),
    async pull(image) {
      // Whatever is there already would not be asked for.
      await crictl(daemon.socket, 'rmi', '--all');
      return crictl(daemon.socket, 'pull', ...credential, `${server.host}/${image}`);
    },
    remove: () => undefined,
  };
}
