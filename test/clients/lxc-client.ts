import type { Dockgate } from '../support/dockgate.ts';
import { run } from '../support/run.ts';
import { type ContainerClient, makeHome } from './container-client.ts';

/** `lxc-create` with its OCI template, a script around skopeo, umoci and jq. It pushes nothing. */
export function lxcClient(server: Dockgate): ContainerClient {
  const { directory, environment: plain, remove } = makeHome(server);
  const environment = { ...plain, PATH: `${plain.PATH}:/usr/sbin:/sbin`, SSL_CERT_FILE: server.caPath };
  let pulled = 0;
  return {
    name: 'lxc',
    login: (user, password) =>
      run('skopeo', ['login', '-u', user, '--password-stdin', server.host], { environment, input: password }),
    logout: () => run('skopeo', ['logout', server.host], { environment }),
    push: async () => ({ code: 1, output: 'LXC pushes nothing' }),
    pull(image) {
      pulled += 1;
      const template = ['--url', `docker://${server.host}/${image}`, '--no-cache'];
      const args = [
        '-P',
        directory,
        '-n',
        `pulled-${pulled}`,
        '-t',
        'oci',
        '-f',
        '/dev/null',
        '--',
        ...template,
      ];
      return run('lxc-create', args, { environment });
    },
    remove,
  };
}
