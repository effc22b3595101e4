import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Dockgate } from '../support/dockgate.ts';
import { goProgram } from '../support/go-program.ts';
import { run } from '../support/run.ts';
import { type ContainerClient, makeHome } from './container-client.ts';

/**
 * The clients that test/setup.sh builds from their Go modules. Each copies an image as it is, between a registry and an
 * OCI layout.
 */
export function craneClient(server: Dockgate): ContainerClient {
  const { directory, environment, remove } = makeGoHome(server);
  const crane = (args: readonly string[], input = '') =>
    run(goProgram('crane'), args, { environment, input });
  const place = (image: string) => `${server.host}/${image}`;
  return {
    name: 'crane',
    login: (user, password) =>
      crane(['auth', 'login', '-u', user, '--password-stdin', server.host], password),
    logout: () => crane(['auth', 'logout', server.host]),
    async push(from, image) {
      // It takes a layout of one image alone, and any archive of docker's form.
      const archive = join(directory, 'image.tar');
      rmSync(archive, { force: true });
      const copied = await run('skopeo', ['copy', `oci:${from}`, `docker-archive:${archive}`], {
        environment,
      });
      return copied.code === 0 ? crane(['push', archive, place(image)]) : copied;
    },
    pull: (image, platform) =>
      crane(['pull', ...platformOf(platform), place(image), join(directory, 'pulled.tar')]),
    remove,
  };
}

/** To oras `localhost` means plain HTTP unless it is told otherwise. */
const HTTPS = '--plain-http=false';

export function orasClient(server: Dockgate): ContainerClient {
  const { directory, environment, remove } = makeGoHome(server);
  const oras = (args: readonly string[], input = '') => run(goProgram('oras'), args, { environment, input });
  const place = (image: string) => `${server.host}/${image}`;
  let pulled = 0;
  return {
    name: 'oras',
    login: (user, password) => oras(['login', HTTPS, '-u', user, '--password-stdin', server.host], password),
    logout: () => oras(['logout', server.host]),
    push: (from, image) =>
      oras(['cp', '--no-tty', `--to-${HTTPS.slice(2)}`, '--from-oci-layout', from, place(image)]),
    pull(image, platform) {
      pulled += 1;
      const target = `${join(directory, `pulled-${pulled}`)}:it`;
      return oras([
        'cp',
        '--no-tty',
        `--from-${HTTPS.slice(2)}`,
        ...platformOf(platform),
        place(image),
        '--to-oci-layout',
        target,
      ]);
    },
    remove,
  };
}

export function regctlClient(server: Dockgate): ContainerClient {
  const { directory, environment, remove } = makeGoHome(server);
  const regctl = (args: readonly string[], input = '') =>
    run(goProgram('regctl'), args, { environment, input });
  const place = (image: string) => `${server.host}/${image}`;
  let pulled = 0;
  return {
    name: 'regctl',
    login: (user, password) =>
      regctl(['registry', 'login', '-u', user, '--pass-stdin', server.host], password),
    logout: () => regctl(['registry', 'logout', server.host]),
    push: (from, image) => regctl(['image', 'copy', `ocidir://${from}`, place(image)]),
    pull(image, platform) {
      pulled += 1;
      const target = `ocidir://${join(directory, `pulled-${pulled}`)}:it`;
      return regctl(['image', 'copy', ...platformOf(platform), place(image), target]);
    },
    remove,
  };
}

/** Go's own way to be told a CA, and docker's folder for sign-ins. */
function makeGoHome(server: Dockgate) {
  const home = makeHome(server);
  const { REGISTRY_AUTH_FILE: _, ...plain } = home.environment;
  const environment = { ...plain, SSL_CERT_FILE: server.caPath, DOCKER_CONFIG: home.directory };
  return { directory: home.directory, environment, remove: home.remove };
}

function platformOf(platform: string | undefined): readonly string[] {
  return platform === undefined ? [] : ['--platform', platform];
}
