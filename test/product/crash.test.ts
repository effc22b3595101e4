import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as passing } from 'node:timers/promises';
import { MiB, newId, systemRandom } from '../../src/base/index.ts';
import { type ContainerClient, skopeoClient } from '../clients/container-client.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage, writeOciLayout } from '../support/image.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';
const ROUNDS = 5;

/** A pull by hand: what arrived, and whether the transfer ended as its Content-Length said. */
function pullBlob(
  server: Dockgate,
  path: string,
): Promise<{ readonly sha256: string; readonly isWhole: boolean }> {
  return new Promise((resolve) => {
    const hash = createHash('sha256');
    let bytes = 0;
    const request = httpsRequest(
      {
        ...{ host: 'localhost', port: server.port, ca: server.ca, path, agent: false },
        auth: `alice:${PASSWORD}`,
      },
      (response) => {
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          hash.update(chunk);
        });
        const end = () =>
          resolve({
            sha256: hash.digest('hex'),
            isWhole: response.statusCode === 200 && bytes === Number(response.headers['content-length']),
          });
        response.once('close', end);
        response.on('error', () => {});
      },
    );
    request.once('error', () => resolve({ sha256: '', isWhole: false }));
    request.end();
  });
}

describe('a worker that is killed', function () {
  this.timeout(180_000);
  let server: Dockgate;
  let client: ContainerClient;
  let layout: string;
  let image: BuiltImage;

  before(async () => {
    server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    layout = join(tmpdir(), `layout-${newId(systemRandom)}`);
    mkdirSync(layout);
    const data = randomBytes(24 * MiB);
    // Compressed as it is pushed: skopeo would spend the time on that, and push another layer.
    image = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'big', data }]] });
    await writeOciLayout(layout, { big: image });
    client = skopeoClient(server);
    await client.login('alice', PASSWORD);
  });

  after(async () => {
    client.remove();
    await server.remove();
    rmSync(layout, { recursive: true, force: true });
  });

  let killed = 0;
  async function killWorker(): Promise<void> {
    killed += 1;
    const workers = await server.workers();
    const victim = workers[Math.floor(Math.random() * workers.length)];
    if (victim !== undefined) process.kill(victim, 'SIGKILL');
  }

  /** A new one stands beside the other again. */
  async function bothAreBack(): Promise<void> {
    const isBack = () => server.output().split('works again').length - 1 === killed;
    await until(isBack, 'the killed worker is replaced');
  }

  it('F-23, F-24: in the middle of a push costs the client one retry, and leaves no partial blob', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const name = `team/push${round}:1`;
      const first = client.push(`${layout}:big`, name);
      await passing(100 + Math.random() * 500);
      await killWorker();
      await first;
      await bothAreBack();
      const retry = await client.push(`${layout}:big`, name);
      assert.equal(retry.code, 0, retry.output);
      const pulled = await client.pull(name);
      assert.equal(pulled.code, 0, pulled.output);
    }
  });

  it('F-23: in the middle of a pull never makes a part look whole, and the retry succeeds', async () => {
    const layer = image.layers[0]?.digest ?? '';
    const path = `/v2/team/push0/blobs/${layer}`;
    assert.ok((await pullBlob(server, path)).isWhole, 'undisturbed it is whole');
    for (let round = 0; round < ROUNDS; round += 1) {
      const first = pullBlob(server, path);
      await passing(20 + Math.random() * 200);
      await killWorker();
      const { isWhole, sha256 } = await first;
      if (isWhole) assert.equal(`sha256:${sha256}`, layer);
      await bothAreBack();
      const retry = await client.pull('team/push0:1');
      assert.equal(retry.code, 0, retry.output);
    }
  });

  it('leaves a log that verifies', async () => {
    assert.match(await server.run(['audit', 'verify']), /the log is whole/);
  });
});
