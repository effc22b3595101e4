import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage, buildIndex, digestOf } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';

const PASSWORD = 'correct-horse-battery-9';
const NEW_PASSWORD = 'another-horse-battery-8';

describe('the content store of a server', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let image: BuiltImage;
  const pathOf = (digest: string) => {
    const hex = digest.slice('sha256:'.length);
    return join(server.data, 'content/sha256', hex.slice(0, 2), hex);
  };

  before(async () => {
    server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    const shared = randomBytes(5000);
    const make = (data: Buffer) =>
      buildImage({
        config: { user: 'app' },
        layers: [[{ path: 'shared', data: shared }], [{ path: 'own', data }]],
      });
    image = await make(randomBytes(3000));
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    await pusher.push('team/app', image, '1');
    await pusher.push('team/app', buildIndex([image]), 'multi');
    await pusher.push('team/other', await make(randomBytes(4000)), '1');
  });

  after(() => server.remove());

  it('says who uses how much of it, and what goes with a repository', async () => {
    const printed = JSON.parse(await server.run(['registry', 'usage', '--json']));
    const [first, second] = printed.repositories;
    assert.deepEqual([first.repository, second.repository], ['team/other', 'team/app']);
    const layer = image.layers[0]?.bytes.length ?? 0;
    for (const one of [first, second]) {
      assert.equal(one.sharedBytes, layer);
      assert.equal(one.bytes, one.ownBytes + one.sharedBytes);
      assert.deepEqual([one.originBytes, one.cachedBytes, one.pendingBytes], [one.bytes, 0, 0]);
    }
    assert.equal(printed.bytes, first.bytes + second.bytes - layer);
    assert.match(
      await server.run(['registry', 'usage', '--top', '1']),
      /^REPOSITORY +BYTES +OWN.*\nteam\/other .*\n\n8 contents/,
    );
  });

  it('F-53: collects what no repository links and is old, and only says so in a dry run', async () => {
    const bytes = randomBytes(700);
    const path = pathOf(digestOf(bytes));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    assert.match(await server.run(['registry', 'gc', '--dry-run']), /^0 files with 0 bytes would be removed/);
    utimesSync(path, 1000, 1000);
    assert.match(await server.run(['registry', 'gc', '--dry-run']), /^1 files with 700 bytes would be/);
    assert.match(await server.run(['registry', 'gc']), /^1 files with 700 bytes were removed/);
    assert.match(await server.run(['registry', 'gc', '--json']), /"count":0,"bytes":0/);
    assert.match(await server.run(['registry', 'verify']), /^the registry is whole: 8 files/);
  });

  it('names what is damaged and every tag that needs it, while it serves, and exits 1', async () => {
    const layer = image.layers[0]?.digest ?? '';
    writeFileSync(pathOf(layer), 'rotten');
    const { code, stdout, stderr } = await server.cli(['registry', 'verify']);
    assert.equal(code, 1);
    assert.match(stderr, /the registry is damaged: 1 contents/);
    assert.match(stdout, new RegExp(`^${layer}: damaged, removed$`, 'm'));
    assert.match(stdout, /^ {2}team\/app \(origin\): 1, multi$/m);
    assert.match(stdout, /^ {2}team\/other \(origin\): 1$/m);
  });

  it('the same without a server: what was removed is missing until it is pushed again', async () => {
    await server.stop();
    const { code, stdout } = await server.cli(['--json', 'registry', 'verify']);
    assert.equal(code, 1);
    const [flaw, ...more] = JSON.parse(stdout).flaws;
    assert.deepEqual([flaw.digest, flaw.problem, more.length], [image.layers[0]?.digest, 'missing', 0]);
    server = await startDockgate({ directory: server.directory, port: server.port });
    await createPusher(server, `alice:${PASSWORD}`).push('team/app', image, '1');
    assert.match(await server.run(['registry', 'verify']), /^the registry is whole/);
  });

  it('is nothing for who may not run the system', async () => {
    const basic = `alice:${PASSWORD}`;
    assert.equal((await server.request('/api/v1/registry/usage', { basic })).status, 403);
  });

  describe("a password of one's own", () => {
    const change = (oldPassword: string, basic: string) =>
      server.request('/api/v1/me/password', {
        method: 'PUT',
        basic,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ oldPassword, password: NEW_PASSWORD }),
      });

    it('C-17: is not changed without the old one, and guesses at it are counted', async () => {
      const statuses: number[] = [];
      for (let guess = 0; guess < 7; guess += 1) {
        statuses.push((await change(`wrong-${guess}`, `alice:${PASSWORD}`)).status);
      }
      assert.deepEqual([statuses[0], statuses.at(-1)], [403, 429]);
    });

    it('is changed by who knows it, and the old one is dead', async () => {
      await server.addUser('bob', PASSWORD, ['reader', '**']);
      const changed = await change(PASSWORD, `bob:${PASSWORD}`);
      assert.equal(changed.status, 200, changed.text);
      const me = (password: string) => server.request('/api/v1/me', { basic: `bob:${password}` });
      assert.deepEqual([(await me(PASSWORD)).status, (await me(NEW_PASSWORD)).status], [401, 200]);
    });

    it("is nothing that the machine's owner has", async () => {
      const { code, stderr } = await server.cli(
        ['user', 'passwd', '--password-stdin'],
        `a\n${NEW_PASSWORD}\n`,
      );
      assert.equal(code, 1);
      assert.match(stderr, /only people have a password; you are local local/);
      const one = await server.cli(['user', 'passwd', '--password-stdin'], 'a');
      assert.match(one.stderr, /two lines: the old password and the new one/);
    });
  });
});
