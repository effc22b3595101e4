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
  /** @param platform `linux/arm64`; absent: the client's own. */
  pull(image: string, platform?: string): Promise<Ran>;
  remove(): void;
}

export interface Home {
  readonly directory: string;
  readonly certs: string;
  readonly environment: NodeJS.ProcessEnv;
  remove(): void;
}

/** An empty home of its own, which knows nothing but the server's CA. */
export function makeHome(server: Dockgate): Home {
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
  return {
    directory,
    certs,
    environment,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** The clients built on containers/image know an architecture, not a platform. */
function architectureOf(flag: string, platform: string | undefined): readonly string[] {
  const architecture = platform?.split('/')[1];
  return architecture === undefined ? [] : [flag, architecture];
}

export function skopeoClient(server: Dockgate): ContainerClient {
  const { directory, certs, environment, remove } = makeHome(server);
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
    pull(image, platform) {
      pulled += 1;
      return skopeo(
        ...architectureOf('--override-arch', platform),
        'copy',
        '--src-cert-dir',
        certs,
        place(image),
        `oci:${join(directory, `pulled-${pulled}`)}:it`,
      );
    },
    remove,
  };
}

export function podmanClient(server: Dockgate): ContainerClient {
  const { directory, certs, environment, remove } = makeHome(server);
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
    async pull(image, platform) {
      // Whatever is there already would not be asked for.
      await podman(['rmi', '-af']);
      return podman(['pull', ...architectureOf('--arch', platform), '--cert-dir', certs, place(image)]);
    },
    remove,
  };
}

/** buildah keeps images as podman does, in a folder of its own. */
export function buildahClient(server: Dockgate): ContainerClient {
  const { directory, certs, environment, remove } = makeHome(server);
  const storage = [
    '--root',
    join(directory, 'root'),
    '--runroot',
    join(directory, 'run'),
    '--storage-driver=vfs',
  ];
  const buildah = (args: readonly string[], input = '') =>
    run('buildah', [...storage, ...args], { environment, input });
  const place = (image: string) => `docker://${server.host}/${image}`;
  return {
    name: 'buildah',
    login: (user, password) =>
      buildah(['login', '--cert-dir', certs, '-u', user, '--password-stdin', server.host], password),
    logout: () => buildah(['logout', server.host]),
    async push(from, image) {
      const loaded = await buildah(['pull', '-q', `oci:${from}`]);
      if (loaded.code !== 0) return loaded;
      const id = loaded.output.trim().split('\n').at(-1) ?? '';
      return buildah(['push', '--cert-dir', certs, id, place(image)]);
    },
    async pull(image, platform) {
      await buildah(['rmi', '-af']);
      return buildah(['pull', ...architectureOf('--arch', platform), '--cert-dir', certs, place(image)]);
    },
    remove,
  };
}

/** The docker program, speaking to a daemon of the tests; its sign-ins lie in a folder of its own. */
export function dockerClient(server: Dockgate, socket: string): ContainerClient {
  const { directory, environment, remove } = makeHome(server);
  const docker = (args: readonly string[], input = '') =>
    run('docker', ['--host', `unix://${socket}`, '--config', directory, ...args], { environment, input });
  const place = (image: string) => `${server.host}/${image}`;
  const removeImages = async () => {
    const { output } = await docker(['images', '-aq']);
    const ids = new Set(output.split('\n').filter((id) => id !== ''));
    if (ids.size > 0) await docker(['rmi', '-f', ...ids]);
  };
  return {
    name: 'docker',
    login: (user, password) => docker(['login', '-u', user, '--password-stdin', server.host], password),
    logout: () => docker(['logout', server.host]),
    async push(from, image) {
      // The daemon loads no OCI layout before version 25.
      const archive = join(directory, 'image.tar');
      rmSync(archive, { force: true });
      const copied = await run(
        'skopeo',
        ['copy', `oci:${from}`, `docker-archive:${archive}:${place(image)}`],
        {
          environment,
        },
      );
      if (copied.code !== 0) return copied;
      const loaded = await docker(['load', '-i', archive]);
      return loaded.code === 0 ? docker(['push', place(image)]) : loaded;
    },
    async pull(image, platform) {
      await removeImages();
      return docker(['pull', ...(platform === undefined ? [] : ['--platform', platform]), place(image)]);
    },
    remove,
  };
}
