import { dockerClient } from './container-client.ts';
import { type Daemon, startOrSkip } from './daemon.ts';
import { startDockerd } from './dockerd.ts';
import { everyClient } from './every-client.ts';

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
