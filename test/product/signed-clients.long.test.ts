import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ContainerClient, podmanClient, skopeoClient } from '../clients/container-client.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, type BuiltIndex, buildImage, buildIndex } from '../support/image.ts';
import { createPusher, type Pusher } from '../support/pusher.ts';
import { bundleReferrer, createSigner, type Signer, statementOf } from '../support/signer.ts';

const PASSWORD = 'correct-horse-battery-9';
const POLICY = `policies:
  - name: signed
    match: ["**"]
    rules: { scanned: { by: [inspector], within: 7d }, signatures: { by: [release, old] } }
`;
const [release, old, stranger] = [createSigner(), createSigner(), createSigner()];

type Sign = (subject: BuiltImage | BuiltIndex) => BuiltImage;
const by =
  (signer: Signer): Sign =>
  (subject) =>
    bundleReferrer(subject, signer);

describe('images that are signed wrongly, and real clients', function () {
  this.timeout(300_000);
  let server: Dockgate;
  let pusher: Pusher;
  let clients: readonly ContainerClient[] = [];
  let count = 0;

  before(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dockgate-signed-'));
    writeFileSync(join(directory, 'release.pub'), release.pem);
    writeFileSync(join(directory, 'old.pub'), old.pem);
    const config = `trust:
  keys: [{ name: release, file: release.pub }, { name: old, file: old.pub, revoked: true }]
`;
    server = await startDockgate({ directory, config });
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    await server.run(['policy', 'apply', '-f', '-'], POLICY);
    pusher = createPusher(server, `alice:${PASSWORD}`);
    clients = [skopeoClient(server), podmanClient(server)];
    for (const client of clients) assert.equal((await client.login('alice', PASSWORD)).code, 0);
  });
  after(async () => {
    for (const client of clients) client.remove();
    await server?.remove();
  });

  const newImage = () =>
    buildImage({ config: { user: 'app' }, layers: [[{ path: 'app', data: `image ${count++}` }]] });

  for (const [title, sign, why] of [
    ['not at all', undefined, 'nothing here vouches for it'],
    ['by a revoked key', by(old), 'signed by old, which is revoked'],
    ['by a stranger', by(stranger), 'a signature by no trusted key'],
    [
      'for another digest',
      (subject: BuiltImage | BuiltIndex) =>
        bundleReferrer(subject, release, statementOf(`sha256:${'0'.repeat(64)}`)),
      'a signature by release for another digest',
    ],
  ] as const) {
    it(`V-33: get no image that is signed ${title}, by tag, by digest or through its index, until that is mended`, async () => {
      const image = await newImage();
      const index = buildIndex([image]);
      const [alone, repository] = [await newImage(), `team/app${count}`];
      await pusher.push(repository, index, 'many');
      await pusher.push(repository, alone, 'one');
      for (const subject of [index, alone]) if (sign) await pusher.push(repository, sign(subject));
      const names = [':one', `@${alone.digest}`, ':many', `@${index.digest}`, `@${image.digest}`];
      for (const client of clients) {
        for (const name of names) {
          const { code, output } = await client.pull(`${repository}${name}`);
          assert.notEqual(code, 0, `${client.name} got ${name}`);
          assert.ok(output.includes(why), `${client.name} ${name}: ${output}`);
        }
      }
      for (const subject of [index, alone]) await pusher.push(repository, bundleReferrer(subject, release));
      for (const client of clients) {
        for (const name of names) {
          const { code, output } = await client.pull(`${repository}${name}`);
          assert.equal(code, 0, `${client.name} ${name}: ${output}`);
        }
      }
    });
  }
});
