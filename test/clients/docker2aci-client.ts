import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dockgate } from '../support/dockgate.ts';
import { type Ran, run } from '../support/run.ts';
import { type ContainerClient, makeHome } from './container-client.ts';

/** What rkt fetches images with. It signs in by docker's file, asks for manifests by tag or digest, and pushes nothing. */
export function docker2aciClient(server: Dockgate): ContainerClient {
  const { directory, environment: plain, remove } = makeHome(server);
  const environment = { ...plain, SSL_CERT_FILE: server.caPath };
  const folder = join(directory, '.docker');
  const done: Ran = { code: 0, output: '' };
  return {
    name: 'docker2aci',
    async login(user, password) {
      const auth = Buffer.from(`${user}:${password}`).toString('base64');
      mkdirSync(folder, { recursive: true });
      const file = JSON.stringify({ auths: { [server.host]: { auth } } });
      writeFileSync(join(folder, 'config.json'), file, { mode: 0o600 });
      return done;
    },
    async logout() {
      rmSync(folder, { recursive: true, force: true });
      return done;
    },
    push: async () => ({ code: 1, output: 'docker2aci pushes nothing' }),
    pull: (image) => run('docker2aci', [`docker://${server.host}/${image}`], { environment, cwd: directory }),
    remove,
  };
}
