import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { MiB } from '../../src/base/index.ts';
import { buildGoCheck } from '../audit/go-check.ts';
import { createRecordCheck } from '../audit/record-check.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';

describe('the access log of a running server', function () {
  this.timeout(180_000);
  let server: Dockgate;
  let log: string;
  let key: string;
  let firstKey: string;
  let newKey: string;

  before(async () => {
    server = await startDockgate();
    log = join(server.data, 'audit', 'log');
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    await server.addUser('bob', PASSWORD, ['reader', 'team/**']);
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    const good = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'a', data: 'b' }]] });
    await pusher.push('team/good', good, 'v1');
    await pusher.push(
      'team/bad',
      await buildImage({ config: { user: 'app' }, layers: [[PLANTED_AWS_FILE]] }),
      'v1',
    );
    const basic = `bob:${PASSWORD}`;
    const token = await server.token(basic, 'repository:team/good:pull');
    const asked: readonly [string, Parameters<Dockgate['request']>[1]][] = [
      ['/v2/', {}],
      ['/v2/team/good/manifests/v1', { token }],
      ['/v2/team/good/manifests/v1', { basic }],
      [`/v2/team/good/blobs/${good.layers[0]?.digest}`, { basic }],
      ['/v2/team/bad/manifests/v1', { basic }],
      ['/v2/other/app/manifests/v1', { basic }],
      ['/v2/team/good/tags/list', { basic }],
      ['/v2/_catalog', { basic }],
      ['/v2/team/good/manifests/v1', { basic: 'bob:wrong' }],
      ['/v2/team/good/manifests/v1', { token: 'no.token.here' }],
      ['/v2/team/good/manifests/v1', { basic, method: 'DELETE' }],
      ['/api/v1/users', { basic }],
      ['/token?service=dockgate', { basic: 'nobody:nothing' }],
    ];
    for (const [path, options] of asked) await server.request(path, options);
    firstKey = join(server.directory, 'first-key.pub');
    await writeFile(firstKey, await readFile(join(log, 'key.pub')));
    newKey = (await server.run(['audit', 'rotate-key'])).trim();
    // In order, so that all completions are in the log and signed.
    await server.stop();
    key = join(server.directory, 'key.pub');
    await writeFile(key, await readFile(join(log, 'key.pub')));
  });
  after(() => server.remove());

  it('has got another key from the command, which who knows the old one is led to', async () => {
    assert.equal(newKey, (await readFile(key, 'utf8')).trim());
    const said = await server.run(['audit', 'verify', '--public-key', firstKey]);
    assert.ok(said.includes(`its key was exchanged 1 times and is now ${newKey}`), said);
    const none = await server.cli(['audit', 'rotate-key', '--data', server.directory]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /holds no access log with its key/);
    // No server runs: it is taken at the next start.
    await server.run(['audit', 'rotate-key']);
    assert.match(
      (await server.cli(['audit', 'rotate-key'])).stderr,
      /waits already for the server to take it/,
    );
  });

  it('holds records of the published schema only', async () => {
    const problemOf = createRecordCheck();
    const lines = (await server.run(['audit', 'export']))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.ok(lines.length > 20, `${lines.length} records`);
    for (const { index, record } of lines) assert.equal(problemOf(record), undefined, `record ${index}`);
    const actions = new Set(lines.map(({ record }) => record.action));
    for (const action of ['pull', 'push', 'token', 'sign-in', 'catalog', 'delete'])
      assert.ok(actions.has(action), action);
    assert.ok(lines.some(({ record }) => record.kind === 'completion'));
    assert.ok(
      lines.some(({ record }) => record.reason === 'policy.secrets' && record.verdict.reasons.length > 0),
    );
  });

  it("is checked by Go's transparency log packages", async function () {
    const go = await buildGoCheck();
    if (typeof go === 'string') {
      console.error(`SKIPPED: the log is not checked with Go's packages, they are not here: ${go}`);
      return this.skip();
    }
    try {
      const result = await go.run('log', log, key);
      assert.ok(result.isGood, result.said);
      const [refused] = (await server.run(['audit', 'export', '--outcome', 'refused'])).split('\n');
      const { record } = JSON.parse(refused ?? '');
      const proof = join(server.directory, 'proof');
      await writeFile(proof, await server.run(['audit', 'prove', record.id]));
      assert.ok((await go.run('inclusion', proof, key)).isGood);
      assert.match(await server.run(['audit', 'check', proof, '--public-key', key]), /is in its log/);
    } finally {
      await go.end();
    }
  });

  it('leaves whole in each format', async () => {
    const count = (await server.run(['audit', 'export'])).trim().split('\n').length;
    for (const [format, head] of [
      ['csv', 1],
      ['cef', 0],
      ['ocsf', 0],
    ] as const) {
      const text = await server.run(['audit', 'export', '--format', format]);
      assert.equal(text.trim().split('\n').length, count + head, format);
      assert.ok(!text.includes(PASSWORD));
    }
  });
});

describe('a pull whose worker is killed', function () {
  this.timeout(180_000);
  let server: Dockgate;
  before(async () => {
    server = await startDockgate({ workers: 1 });
    await server.addUser('alice', PASSWORD, ['developer', '**']);
  });
  after(() => server.remove());

  it('gets a completion that says its outcome is unknown, when the worker is there again (A-19, F-23)', async () => {
    const basic = `alice:${PASSWORD}`;
    const image = await buildImage({
      config: { user: 'app' },
      layers: [[{ path: 'big', data: randomBytes(24 * MiB) }]],
      compression: 'none',
    });
    await createPusher(server, basic).push('team/app', image, 'v1');
    assert.equal((await server.request('/v2/team/app/manifests/v1', { basic })).status, 200);
    const { requestId, giveUp } = await beginPull(
      server,
      `/v2/team/app/blobs/${image.layers[0]?.digest}`,
      basic,
    );
    for (const pid of await server.workers()) process.kill(pid, 'SIGKILL');
    giveUp();
    await until(async () => {
      const lines = (await server.run(['audit', 'export', '--action', 'pull'])).trim().split('\n');
      const records = lines
        .map((line) => JSON.parse(line).record)
        .filter((record) => record.requestId === requestId);
      return (
        records.length === 2 && records[1].kind === 'completion' && records[1].reason === 'outcome.unknown'
      );
    }, 'a completion of unknown outcome');
  });
});

/** Asks for a blob and takes only its beginning. */
function beginPull(
  server: Dockgate,
  path: string,
  auth: string,
): Promise<{ readonly requestId: unknown; readonly giveUp: () => void }> {
  return new Promise((resolve, reject) => {
    const options = { host: 'localhost', port: server.port, ca: server.ca, path, auth, agent: false };
    const request = httpsRequest(options, (response) => {
      response.once('data', () => response.pause());
      response.on('error', () => undefined);
      resolve({ requestId: response.headers['x-request-id'], giveUp: () => request.destroy() });
    });
    request.on('error', reject);
    request.end();
  });
}
