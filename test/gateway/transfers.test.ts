import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { type LoggedRecord, waitForLog } from '../support/access-log.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';

const PASSWORD = 'correct-horse-battery-9';
const COUNT = 40;

for (const kind of ['embedded registry', 'docker-registry'] as const) {
  describe(`a transfer from the ${kind}`, function () {
    this.timeout(120_000);
    let server: Dockgate;
    let registry: DockerRegistry | undefined;
    let image: BuiltImage;
    let path: string;
    let bytes: Uint8Array;

    before(async () => {
      registry = kind === 'docker-registry' ? await startDockerRegistry() : undefined;
      const config = registry ? `upstreams:\n  - prefix: ""\n    url: ${registry.url}\n` : '{}\n';
      server = await startDockgate({ config });
      await server.addUser('alice', PASSWORD, ['developer', '**']);
      const file = { path: 'file', data: randomBytes(1_000_000) };
      image = await buildImage({ config: { user: 'app' }, layers: [[file]], compression: 'none' });
      await createPusher(server, `alice:${PASSWORD}`).push('team/app', image, '1');
      // Held until its scan has ended.
      const pulled = await server.request('/v2/team/app/manifests/1', { basic: `alice:${PASSWORD}` });
      assert.equal(pulled.status, 200);
      const [layer] = image.layers;
      assert.ok(layer);
      path = `/v2/team/app/blobs/${layer.digest}`;
      bytes = layer.bytes;
    });
    after(async () => {
      await server.remove();
      await registry?.stop();
    });

    /** Reads as many bytes as asked for, then hangs up at once. */
    async function take(count: number): Promise<Buffer> {
      const options = { host: 'localhost', port: server.port, ca: server.ca, agent: false };
      const request = httpsRequest({ ...options, path, auth: `alice:${PASSWORD}` }).end();
      const [response] = await once(request, 'response');
      const pieces: Buffer[] = [];
      let taken = 0;
      assert.equal(response.statusCode, 200);
      for await (const piece of response) {
        pieces.push(piece);
        taken += piece.length;
        if (taken >= count) break;
      }
      request.destroy();
      return Buffer.concat(pieces);
    }

    const transfersIn = (log: readonly LoggedRecord[]) =>
      log.filter((record) => record.kind === 'completion' && record.reference === image.layers[0]?.digest);

    it('is recorded as whole when the client took all of it, however fast it hangs up then', async () => {
      for (let round = 0; round < COUNT; round += 1) {
        assert.ok((await take(bytes.length)).equals(bytes));
      }
      const transfers = transfersIn(await waitForLog(server, (log) => transfersIn(log).length >= COUNT));
      assert.deepEqual(
        [...new Set(transfers.map((one) => `${one.bytes} ${one.isAborted === true}`))],
        [`${bytes.length} false`],
      );
    });
  });
}
