import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type CutLine, openCutLine } from '../support/cut-line.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';
import { dockerClient, podmanClient } from './container-client.ts';
import { type Daemon, startOrSkip } from './daemon.ts';
import { startDockerd } from './dockerd.ts';

const PASSWORD = 'correct-horse-battery-9';
const MIB = 1024 * 1024;

/** What a client does when the line breaks after 3 MiB of a layer of 4 MiB. */
describe('docker and podman on a line that breaks', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let line: CutLine;
  let daemon: Daemon | undefined;

  beforeEach(async () => {
    line = await openCutLine(3 * MIB);
    server = await startDockgate({ arguments: ['--public-url', `https://localhost:${line.port}`] });
    line.connect(server.port);
    await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
    const layers = [[{ path: 'noise', data: randomBytes(4 * MIB) }]];
    const big = await buildImage({ config: { user: 'app' }, layers });
    await createPusher(server, `alice:${PASSWORD}`).push('team/big', big, '1');
  });
  afterEach(async () => {
    await server?.remove();
    await line?.close();
    await daemon?.stop();
    daemon = undefined;
  });
  const cut = (): Dockgate => ({ ...server, host: `localhost:${line.port}` });

  it('docker goes on where the line broke', async function () {
    daemon = await startOrSkip(this, startDockerd);
    const client = dockerClient(cut(), daemon?.socket ?? '');
    try {
      assert.equal((await client.login('alice', PASSWORD)).code, 0);
      const pulled = await client.pull('team/big:1');
      assert.equal(pulled.code, 0, pulled.output);
      assert(line.hasCut());
      // From the start again it would be 7 MiB.
      assert(line.sentBytes() < 5.5 * MIB, `${line.sentBytes()} bytes for a layer of ${4 * MIB}`);
    } finally {
      client.remove();
    }
  });

  it('podman gives up or asks again, and the next pull gets it whole', async () => {
    const client = podmanClient(cut());
    try {
      assert.equal((await client.login('alice', PASSWORD)).code, 0);
      const first = await client.pull('team/big:1');
      assert(line.hasCut());
      if (first.code !== 0) assert.match(first.output, /unexpected EOF/);
      const second = await client.pull('team/big:1');
      assert.equal(second.code, 0, second.output);
    } finally {
      client.remove();
    }
  });
});
