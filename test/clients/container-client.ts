import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dockgate } from '../support/dockgate.ts';
import { type Ran, run } from '../support/run.ts';

/** What every client can do, in one vocabulary. */
export interface ContainerClient {
  readonly name: string;
  login(user: string, password: string): Promise<Ran>;
  logout(): Promise<Ran>;
  /** @param from `DIRECTORY:TAG` of an OCI layout. */
  push(from: string, image: string): Promise<Ran>;
  pull(image: string): Promise<Ran>;
  remove(): void;
}

interface Home {
  readonly directory: string;
  readonly certs: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** An empty home of its own, which knows nothing but the server's CA. */
function makeHome(server: Dockgate): Home {
  const directory = mkdtempSync(join(tmpdir(), 'client-'));
  const certs = join(directory, 'certs');
  mkdirSync(certs);
  cpSync(server.caPath, join(certs, 'ca.crt'));
  const environment = {
    PATH: process.env.PATH,
    HOME: directory,
    TMPDIR: directory,
    REGISTRY_AUTH_FILE: join(directory, 'auth.json'),
    XDG_RUNTIME_DIR: directory,
  };
  return { directory, certs, environment };
}

export function skopeoClient(server: Dockgate): ContainerClient {
  const { directory, certs, environment } = makeHome(server);
  const skopeo = (...args: string[]) => run('skopeo', args, { environment });
  const place = (image: string) => `docker://${server.host}/${image}`;
  let pulled = 0;
  return {
    name: 'skopeo',
    login: (user, password) =>
      run('skopeo', ['login', '--cert-dir', certs, '-u', user, '--password-stdin', server.host], {
        environment,
        input: password,
      }),
    logout: () => skopeo('logout', server.host),
    push: (from, image) => skopeo('copy', '--all', '--dest-cert-dir', certs, `oci:${from}`, place(image)),
    pull(image) {
      pulled += 1;
      return skopeo(
        'copy',
        '--src-cert-dir',
        certs,
        place(image),
        `oci:${join(directory, `pulled-${pulled}`)}:it`,
      );
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export function podmanClient(server: Dockgate): ContainerClient {
  const { directory, certs, environment } = makeHome(server);
  const storage = [
    ...['--root', join(directory, 'root'), '--runroot', join(directory, 'run'), '--storage-driver=vfs'],
    ...['--cgroup-manager=cgroupfs', '--events-backend=file'],
  ];
  const podman = (args: readonly string[], input = '') =>
    run('podman', [...storage, ...args], { environment, input });
  const place = (image: string) => `${server.host}/${image}`;
  return {
    name: 'podman',
    login: (user, password) =>
      podman(['login', '--cert-dir', certs, '-u', user, '--password-stdin', server.host], password),
    logout: () => podman(['logout', server.host]),
    async push(from, image) {
      const loaded = await podman(['pull', '-q', `oci:${from}`]);
      const id = loaded.output.trim().split('\n').at(-1) ?? '';
      if (loaded.code !== 0) return loaded;
      return podman(['push', '--cert-dir', certs, id, place(image)]);
    },
    async pull(image) {
      // Whatever is there already would not be asked for.
      await podman(['rmi', '-af']);
      return podman(['pull', '--cert-dir', certs, place(image)]);
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
