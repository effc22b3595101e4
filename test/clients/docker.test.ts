import { run } from '../support/run.ts';
import { dockerClient } from './container-client.ts';
import { type Daemon, startDaemon, startOrSkip } from './daemon.ts';
import { everyClient } from './every-client.ts';

/** No network of its own, no firewall rules, no union file system: it starts where hardly anything is allowed. */
function startDockerd(): Promise<Daemon> {
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

describe('docker', function () {
  this.timeout(120_000);
  let daemon: Daemon | undefined;
  before(async function () {
    daemon = await startOrSkip(this, startDockerd);
  });
  after(() => daemon?.stop());

  everyClient([
    {
      name: 'docker',
      create: (server) => dockerClient(server, daemon?.socket ?? ''),
      wrongPassword: /unauthorized: dockgate: /,
    },
  ]);
});
