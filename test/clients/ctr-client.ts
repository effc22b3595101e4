import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dockgate } from '../support/dockgate.ts';
import { type Ran, run } from '../support/run.ts';
import type { ContainerClient } from './container-client.ts';
import { type Containerd, writeHosts } from './containerd-daemon.ts';
import type { Daemon } from './daemon.ts';

/** containerd's `ctr`, which shows the password with each command and keeps none. */
export function ctrClient(server: Dockgate, programs: Containerd, daemon: Daemon): ContainerClient {
  const directory = mkdtempSync(join(tmpdir(), 'ctr-'));
  const hosts = writeHosts(directory, server);
  let credential: readonly string[] = [];
  const images = (...args: readonly string[]): Promise<Ran> =>
    run(programs.ctr, ['--address', daemon.socket, 'images', ...args]);
  const reach = () => ['--hosts-dir', hosts, ...credential];
  // The transfer service of containerd 2 reads hosts.toml and passwords of its own.
  const local = programs.configVersion === 3 ? ['--local'] : [];
  /** With all that it holds: what is there already would not be asked for. */
  const removeImages = async (): Promise<void> => {
    const { output } = await images('ls', '-q');
    const names = output.split('\n').filter(Boolean);
    if (names.length > 0) await images('rm', '--sync', ...names);
  };
  const place = (image: string) => `${server.host}/${image}`;
  const done: Ran = { code: 0, output: '' };
  return {
    name: 'ctr',
    async login(user, password) {
      credential = ['--user', `${user}:${password}`];
      return done;
    },
    async logout() {
      credential = [];
      return done;
    },
    async push(from, image) {
      await removeImages();
      const [layout = '', tag = ''] = from.split(':');
      const archive = join(directory, 'image.tar');
      const [base = ''] = place(image).split(/:(?=[^:/]*$)/);
      for (const [program, ...args] of [
        ['tar', '-C', layout, '-cf', archive, '.'],
        [programs.ctr, '--address', daemon.socket, 'images', 'import', '--base-name', base, archive],
        [
          programs.ctr,
          '--address',
          daemon.socket,
          'images',
          'tag',
          '--force',
          `${base}:${tag}`,
          place(image),
        ],
      ]) {
        const ran = await run(program ?? '', args);
        if (ran.code !== 0) return ran;
      }
      return images('push', ...local, ...reach(), place(image));
    },
    async pull(image, platform) {
      await removeImages();
      const chosen = platform === undefined ? [] : ['--platform', platform];
      return images('pull', ...local, '--snapshotter', 'native', ...reach(), ...chosen, place(image));
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
