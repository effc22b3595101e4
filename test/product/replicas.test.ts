import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';
import { ADMIN_PASSWORD, type Replicas, startReplicas, writeOtherKey } from '../support/replicas.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';
const ALICE = `alice:${PASSWORD}`;

describe('two replicas of one PostgreSQL and one Redis', function () {
  this.timeout(180_000);
  this.slow(10_000);
  let replicas: Replicas;
  let a: Dockgate;
  let b: Dockgate;
  before(async () => {
    replicas = await startReplicas();
    ({ a, b } = replicas);
    await a.addUser('alice', PASSWORD, ['developer', 'team/**']);
  });
  after(() => replicas?.remove());

  const pull = async (server: Dockgate, path: string, basic = ALICE) =>
    (await server.request(`/v2/${path}`, { basic })).status;
  const grant = (server: Dockgate, verb: 'add' | 'remove', pattern: string) =>
    server.run(['grant', verb, '--role', 'developer', '--on', pattern, '--user', 'alice']);

  it('have one admin, one set of keys, and a log each', async () => {
    assert.equal((await b.request('/api/v1/users', { basic: `admin:${ADMIN_PASSWORD}` })).status, 200);
    const { postgres, databaseUrl: url } = replicas;
    const admins = await postgres.query(url, "select 1 from accounts where name = 'admin'");
    assert.equal(admins.length, 1);
    for (const name of ['cache-hmac.key', 'upload-session.key', 'tls-tickets.key']) {
      const [own, other] = [a, b].map((server) => readFileSync(join(server.data, 'keys', name), 'utf8'));
      assert.equal(own, other, name);
    }
    const [keys, others] = await Promise.all([a, b].map((one) => one.request('/.well-known/jwks.json')));
    assert.equal(keys?.text, others?.text);
    const [logKey, otherLogKey] = [a, b].map(({ data }) => readFileSync(join(data, 'keys/log.pem'), 'utf8'));
    assert.notEqual(logKey, otherLogKey);
  });

  it('pull what was pushed through the other, with a token of the other, scanned once', async () => {
    const image = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'app', data: 'one' }]] });
    await createPusher(a, ALICE).push('team/app', image, '1');
    const token = await a.token(ALICE, 'repository:team/app:pull');
    const answer = await b.request('/v2/team/app/manifests/1', { token });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(await pull(a, 'team/app/manifests/1'), 200);
    const { databaseUrl: url, postgres } = replicas;
    assert.equal((await postgres.query(url, 'select 1 from jobs')).length, 0);
  });

  it('pull what a tag is now, whoever moved it a moment ago', async () => {
    const image = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'app', data: 'two' }]] });
    await createPusher(a, ALICE).push('team/app', image, '1');
    const { headers } = await b.request('/v2/team/app/manifests/1', { method: 'HEAD', basic: ALICE });
    assert.equal(headers['docker-content-digest'], image.digest);
  });

  it('take up the sessions that TLS began with any worker of the other', async () => {
    const visit = async (server: Dockgate, session?: Buffer) => {
      const socket = connect({
        ...{ host: 'localhost', port: server.port, ca: server.ca },
        ...(session ? { session } : {}),
      });
      const given: Buffer[] = [];
      socket.on('session', (next) => void given.push(next)).resume();
      socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
      await once(socket, 'secureConnect');
      const isTakenUp = socket.isSessionReused();
      await once(socket, 'close');
      return { isTakenUp, session: given[0] };
    };
    const { session } = await visit(a);
    for (const server of [a, b, a, b, a, b]) assert.equal((await visit(server, session)).isTakenUp, true);
  });

  it('refuse what was taken in the other, whichever knew it, V-22', async () => {
    for (const [giver, taker] of [
      [a, b],
      [b, a],
    ] as const) {
      await grant(giver, 'add', 'ops/**');
      await until(async () => (await pull(taker, 'ops/none/tags/list')) === 404, 'the right is there');
      await grant(giver, 'remove', 'ops/**');
      await until(async () => (await pull(taker, 'ops/none/tags/list')) === 403, 'the right is gone');
    }
  });

  it('refuse it without Redis as well, and again with it, F-01', async () => {
    await replicas.redis.kill();
    await grant(a, 'add', 'ops/**');
    await until(async () => (await pull(b, 'ops/none/tags/list')) === 404, 'the right is there');
    await grant(a, 'remove', 'ops/**');
    await until(async () => (await pull(b, 'ops/none/tags/list')) === 403, 'the right is gone');
    await replicas.redis.start();
    await grant(b, 'add', 'ops/**');
    await until(async () => (await pull(a, 'ops/none/tags/list')) === 404, 'the right is there again');
    await grant(b, 'remove', 'ops/**');
    await until(async () => (await pull(a, 'ops/none/tags/list')) === 403, 'the right is gone again');
  });

  it('record each in its own log, which verifies', async () => {
    for (const server of [a, b]) {
      await until(
        async () => (await server.run(['audit', 'search', '--user', 'alice'])).includes('alice'),
        'the record is found',
      );
      await server.run(['audit', 'verify']);
    }
  });

  it('do not take a third that has another key', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dockgate-'));
    cpSync(join(a.directory, 'certs'), join(directory, 'certs'), { recursive: true });
    writeOtherKey(directory);
    const config = readFileSync(join(a.directory, 'dockgate.yaml'), 'utf8').replace('node: a', 'node: c');
    await assert.rejects(
      startDockgate({ directory, config }),
      /secrets\.key is not the key of the other replicas/,
    );
    rmSync(directory, { recursive: true });
  });

  it('serve nothing while the database is away, and go on when it is back, F-20', async () => {
    assert.equal(await pull(b, 'team/app/manifests/1'), 200);
    await replicas.redis.kill();
    await replicas.postgres.kill();
    await until(async () => (await pull(b, 'team/app/manifests/1')) === 503, 'stale rights are not served');
    await replicas.postgres.start();
    await until(async () => (await pull(b, 'team/app/manifests/1')) === 200, 'rights are read again');
    await until(async () => (await pull(a, 'team/app/manifests/1')) === 200, 'by the other, too');
  });
});
