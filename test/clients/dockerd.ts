import { run } from '../support/run.ts';
import { type Daemon, startDaemon } from './daemon.ts';

/** No network of its own, no firewall rules, no union file system: it starts where hardly anything is allowed. */
export function startDockerd(): Promise<Daemon> {
  return startDaemon(
    'dockerd',
    (directory, socket) => [
      ...[
        '--data-root',
        `${directory}/data`,
        '--exec-root',
        `${directory}/exec`,
        '--pidfile',
        `${directory}/pid`,
      ],
      ...['--host', `unix://${socket}`, '--storage-driver=vfs', '--bridge=none', '--iptables=false'],
      ...['--ip6tables=false', '--ip-forward=false', '--ip-masq=false'],
    ],
    async (socket) => (await run('docker', ['--host', `unix://${socket}`, 'version'])).code === 0,
  );
}
