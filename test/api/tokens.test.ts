import assert from 'node:assert/strict';
import { decodeJwt } from 'jose';
import { DAY_MS, HOUR_MS } from '../../src/base/index.ts';
import { basic } from '../auth/fixtures.ts';
import { type ApiLab, openApiLab, PASSWORD } from './lab.ts';

describe('personal access tokens over the API', () => {
  let lab: ApiLab;
  beforeEach(async () => {
    lab = await openApiLab();
    await lab.addUser('alice', ['developer', 'team/**'], ['auditor', '**']);
    await lab.addUser('bob', ['reader', 'pub/**']);
  });
  afterEach(() => lab.close());

  const create = (body: object, as = 'alice') => lab.call('post', '/api/v1/tokens', { as, body });
  async function made(body: object, as = 'alice'): Promise<string> {
    const answer = await create(body, as);
    assert.equal(answer.status, 201, answer.text);
    return basic(as, answer.body.secret);
  }
  const me = (as: string) => lab.call('get', '/api/v1/me', { as });
  const tokenFor = (as: string, query: string) => lab.call('get', `/token?${query}`, { as });

  it('are shown once, kept as a hash, and listed without their secret', async () => {
    const { body } = await create({ name: 'laptop', expires: '12h' });
    assert.match(body.secret, /^dgp_/);
    assert.equal(body.expiresAt, new Date(lab.clock.nowMs() + 12 * HOUR_MS).toISOString());
    const list = await lab.call('get', '/api/v1/tokens', { as: 'alice' });
    assert.deepEqual(list.body.tokens[0].allows, [{ actions: ['pull', 'list'], on: '**' }]);
    assert.equal(list.text.includes(body.secret.slice(4)), false);
    assert.equal(JSON.stringify(lab.audit.entries).includes(body.secret.slice(4)), false, 'C-09');
  });

  it('stand in for the password at /token, with their part of the rights and no refresh token', async () => {
    const as = await made({ name: 'ci', allows: [{ actions: ['pull'], on: 'team/app' }] });
    const { status, body } = await tokenFor(
      as,
      'offline_token=true&scope=repository:team/app:pull,push&scope=repository:team/other:pull',
    );
    assert.equal(status, 200);
    assert.deepEqual(decodeJwt(body.token).access, [
      { type: 'repository', name: 'team/app', actions: ['pull'] },
    ]);
    assert.equal('refresh_token' in body, false);
    assert.equal(lab.lastEntry()?.principal?.via, 'personal-token');
    assert.match(lab.lastEntry()?.note ?? '', /by personal token [a-z2-7]{26}/);
  });

  it('say in the record of a sign-in and in /me that they end soon', async () => {
    const as = await made({ name: 'short', expires: '10d' });
    assert.deepEqual((await me(as)).body.warnings, []);
    lab.clock.advance(9 * DAY_MS);
    assert.deepEqual((await me(as)).body.warnings, ['token short ends in 24 hours']);
    await tokenFor(as, 'scope=repository:team/app:pull');
    assert.match(lab.lastEntry()?.note ?? '', /\(token short ends in 24 hours\)$/);
    const list = await lab.call('get', '/api/v1/tokens', { as: 'alice' });
    assert.equal(list.body.tokens[0].warning, 'token short ends in 24 hours');
  });

  it('C-06 cannot make, rotate, list or end tokens, nor can what was got by one or a robot', async () => {
    const as = await made({ name: 'leaked', allows: [{ actions: ['audit.read'], on: '**' }] });
    const robot = basic('ci', await lab.addRobot('ci', ['admin', '**']));
    for (const shown of [as, robot]) {
      for (const [method, path] of [
        ['post', '/tokens'],
        ['get', '/tokens'],
        ['post', '/tokens/leaked/rotate'],
        ['delete', '/tokens/leaked'],
      ] as const) {
        const body = path === '/tokens' && method === 'post' ? { body: { name: 'more' } } : {};
        const answer = await lab.call(method, `/api/v1${path}`, { as: shown, ...body });
        assert.deepEqual([path, answer.status], [path, 403]);
        assert.match(answer.body.error.message, /only a person may do this/);
      }
    }
    const audit = await lab.call('get', '/api/v1/audit/records', { as });
    assert.equal(audit.status, 200, 'what it does carry');
    assert.equal((await lab.call('get', '/api/v1/repositories', { as })).status, 200);
  });

  it('give no grants, however far their owner manages some', async () => {
    await lab.grant({ kind: 'user', name: 'alice' }, [['maintainer', 'team/**']]);
    const as = await made({ name: 'all', allows: [{ actions: ['pull', 'roles.manage'], on: '**' }] });
    const body = { role: 'reader', on: 'team/app', subject: { kind: 'user', name: 'bob' } };
    assert.equal((await lab.call('post', '/api/v1/grants', { as, body })).status, 403);
    assert.equal((await lab.call('post', '/api/v1/grants', { as: 'alice', body })).status, 201);
  });

  it('cannot be made for the server itself', async () => {
    const local = await openApiLab({
      ...{ principal: { kind: 'local', id: 'local', name: 'local' }, via: 'socket' },
      scopes: undefined,
    });
    try {
      const answer = await local.call('post', '/api/v1/tokens', { as: '', body: { name: 't' } });
      assert.equal(answer.status, 403);
    } finally {
      await local.close();
    }
  });

  it('live five minutes to a year', async () => {
    for (const expires of ['4m', '366d', '0d']) {
      assert.equal((await create({ name: 't', expires })).status, 400, expires);
    }
    assert.equal((await create({ name: 't5', expires: '5m' })).status, 201);
    assert.equal((await create({ name: 't365', expires: '365d' })).status, 201);
  });

  it('are refused with actions that do not exist, patterns that cannot be read, and more than fits', async () => {
    for (const allows of [
      [],
      [{ actions: [], on: '**' }],
      [{ actions: ['everything'], on: '**' }],
      [{ actions: ['pull'], on: '!x' }],
      [{ actions: ['pull'], on: '' }],
      Array.from({ length: 21 }, () => ({ actions: ['pull'], on: '**' })),
    ]) {
      assert.equal((await create({ name: 't', allows })).status, 400, JSON.stringify(allows));
    }
  });

  it('are rotated in place, the old secret counting for the overlap and never beyond its own end', async () => {
    const old = await made({ name: 'ci', expires: '10h' });
    lab.clock.advance(9 * HOUR_MS);
    const { body } = await lab.call('post', '/api/v1/tokens/ci/rotate', {
      as: 'alice',
      body: { overlap: '2h' },
    });
    assert.equal(body.expiresAt, new Date(lab.clock.nowMs() + 10 * HOUR_MS).toISOString());
    assert.equal((await me(old)).status, 200);
    assert.equal((await me(basic('alice', body.secret))).status, 200);
    lab.clock.advance(HOUR_MS);
    assert.equal((await me(old)).status, 401);
    const tooLong = await lab.call('post', '/api/v1/tokens/ci/rotate', {
      as: 'alice',
      body: { overlap: '8d' },
    });
    assert.equal(tooLong.status, 400);
    await lab.call('post', '/api/v1/tokens/ci/rotate', { as: 'alice', body: {} });
    assert.equal((await me(basic('alice', body.secret))).status, 401, 'without an overlap at once');
  });

  it('T-22 are refused with the next request after they are revoked, by their owner or an admin', async () => {
    const own = await made({ name: 'own' });
    const other = await made({ name: 'other' });
    assert.equal((await lab.call('delete', '/api/v1/tokens/own', { as: 'alice' })).status, 200);
    assert.equal((await me(own)).status, 401);
    assert.equal((await me(other)).status, 200);
    assert.equal((await lab.call('delete', '/api/v1/users/alice/tokens/other')).status, 200);
    assert.equal((await me(other)).status, 401);
  });

  it('W-06 are named by their id only to their owner', async () => {
    await made({ name: 'mine' });
    const [{ id }] = (await lab.call('get', '/api/v1/tokens', { as: 'alice' })).body.tokens;
    for (const name of [id, 'mine']) {
      assert.equal((await lab.call('delete', `/api/v1/tokens/${name}`, { as: 'bob' })).status, 404);
    }
    assert.equal((await lab.call('delete', `/api/v1/tokens/${id}`, { as: 'alice' })).status, 200);
  });

  it('C-15 die with their owner: another of the same name has none', async () => {
    const as = await made({ name: 'ci' });
    await lab.call('delete', '/api/v1/users/alice');
    await lab.addUser('alice', ['admin', '**']);
    assert.equal((await me(as)).status, 401);
    assert.deepEqual((await lab.call('get', '/api/v1/tokens', { as: 'alice' })).body.tokens, []);
  });

  it('live through a new password, and end when all of an account is revoked', async () => {
    const as = await made({ name: 'ci' });
    await lab.call('put', '/api/v1/users/alice/password', { body: { password: `${PASSWORD}-new` } });
    assert.equal((await me(as)).status, 200);
    await lab.call('post', '/api/v1/users/alice/revoke');
    assert.equal((await me(as)).status, 401);
  });

  it('T-24 sessions are listed beside them with last use and address, and end by their id', async () => {
    const signIn = () =>
      lab.call('post', '/token', {
        ...{ as: '', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
        body: `grant_type=password&access_type=offline&client_id=cli&username=alice&password=${PASSWORD}`,
      });
    const { refresh_token: refresh } = (await signIn()).body;
    lab.clock.advance(HOUR_MS);
    assert.equal((await me(`Bearer ${refresh}`)).status, 200);
    const access = await lab.call('post', '/token', {
      ...{ as: '', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      body: `grant_type=refresh_token&refresh_token=${refresh}`,
    });
    const bearer = () =>
      lab.authenticator.authenticate({
        authorization: `Bearer ${access.body.access_token}`,
        source: '192.0.2.1',
      });
    assert.equal((await bearer()).ok, true);
    const [session] = (await lab.call('get', '/api/v1/tokens', { as: 'alice' })).body.sessions;
    assert.equal(session.client, 'cli');
    assert.match(session.lastUsedAt, /Z$/);
    assert.equal((await lab.call('delete', `/api/v1/tokens/${session.id}`, { as: 'bob' })).status, 404);
    assert.equal((await lab.call('delete', `/api/v1/tokens/${session.id}`, { as: 'alice' })).status, 200);
    assert.equal((await me(`Bearer ${refresh}`)).status, 401);
    assert.equal((await bearer()).ok, false, 'T-22: what was got by it is over too');
  });

  it("a robot's secret is rotated with an overlap, or at once; a disabled robot is out", async () => {
    const old = basic('ci', await lab.addRobot('ci'));
    const rotate = (body: object) => lab.call('post', '/api/v1/robots/ci/rotate', { body });
    const next = basic('ci', (await rotate({ overlap: '1h' })).body.secret);
    assert.deepEqual([(await me(old)).status, (await me(next)).status], [200, 200]);
    const [robot] = (await lab.call('get', '/api/v1/robots')).body.robots;
    assert.equal(robot.previousUntil, new Date(lab.clock.nowMs() + HOUR_MS).toISOString());
    lab.clock.advance(HOUR_MS);
    assert.deepEqual([(await me(old)).status, (await me(next)).status], [401, 200]);
    const last = basic('ci', (await rotate({})).body.secret);
    assert.equal((await me(next)).status, 401);
    await lab.call('post', '/api/v1/robots/ci/disable');
    assert.equal((await me(last)).status, 401);
    await lab.call('post', '/api/v1/robots/ci/enable');
    assert.equal((await me(last)).status, 200);
  });
});
