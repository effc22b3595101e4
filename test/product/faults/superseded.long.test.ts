import assert from 'node:assert/strict';
import { setTimeout as passing } from 'node:timers/promises';
import { type Dockgate, startDockgate } from '../../support/dockgate.ts';
import type { BuiltImage } from '../../support/image.ts';
import { createPusher, type Pusher } from '../../support/pusher.ts';
import { clientsOf, PASSWORD } from './every-path.ts';
import { imageWith, soundImage } from './fault.ts';

const POLICY = `policies:
  - { name: newest, match: ["bad/**"], rules: { scanned: { by: [inspector], within: 7d }, superseded: { max: 1m } } }
`;
const RULE = /dockgate: blocked bad\/app@sha256:\w{12} by rule superseded .*no tag leads to it since/;

describe('an image that a tag no longer leads to', function () {
  this.timeout(300_000);
  let server: Dockgate;
  let pusher: Pusher;
  let clients: ReturnType<typeof clientsOf>;
  let old: BuiltImage;

  before(async () => {
    server = await startDockgate({ workers: 1 });
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    await server.addUser('bob', PASSWORD, ['reader', '**']);
    await server.run(['policy', 'apply', '-f', '-'], POLICY);
    pusher = createPusher(server, `alice:${PASSWORD}`);
    clients = clientsOf(server);
    old = await imageWith('superseded', { state: 'old' });
    await pusher.push('bad/app', old, '1');
    await pusher.push('bad/app', await soundImage('superseded'), '1');
  });
  after(async () => {
    clients?.remove();
    await server?.remove();
  });

  const ask = (path: string, method = 'GET') =>
    server.request(`/v2/bad/app/${path}`, { method, basic: `bob:${PASSWORD}` });

  it('is refused by digest and by its blobs when its time is over, while the new one is served', async () => {
    // The shortest time that the rule takes; the timeout of the test ends the waiting.
    while ((await ask(`manifests/${old.digest}`)).status !== 403) await passing(1000);
    for (const path of [`manifests/${old.digest}`, `blobs/${old.config.digest}`]) {
      assert.match((await ask(path)).text, RULE);
    }
    assert.equal((await ask(`manifests/${old.digest}`, 'HEAD')).status, 403);
    assert.equal((await ask('manifests/1')).status, 200);
    const ran = await clients.skopeo(`bad/app@${old.digest}`);
    assert.notEqual(ran.code, 0);
    assert.match(ran.output, RULE);
  });

  it('is served when a tag leads to it again', async () => {
    await pusher.push('bad/app', old, 'again');
    assert.equal((await ask(`manifests/${old.digest}`)).status, 200);
    const ran = await clients.skopeo('bad/app:again');
    assert.equal(ran.code, 0, ran.output);
  });
});
