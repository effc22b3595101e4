import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import supertest from 'supertest';
import { LOCAL_IDENTITY } from '../../src/auth/index.ts';
import { basic } from '../auth/fixtures.ts';
import { type ApiLab, openApiLab, PASSWORD } from './lab.ts';

interface Described {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, unknown>>;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
}

describe('the surface of the API', () => {
  let lab: ApiLab;

  beforeEach(async () => {
    lab = await openApiLab();
  });
  afterEach(() => lab.close());

  const users = async () =>
    (await lab.call('get', '/api/v1/users')).body.users.map((user: { name: string }) => user.name);
  const newUser = { name: 'bob', password: PASSWORD };

  it('W-20: answers with headers that keep it out of caches and pages', async () => {
    for (const [path, as] of [
      ['/api/v1/me', 'admin'],
      ['/api/v1/me', ''],
      ['/token', 'admin'],
      ['/nothing', ''],
      ['/api/v1/openapi.json', ''],
    ] as const) {
      const { headers } = await lab.call('get', path, { as });
      assert.equal(headers['cache-control'], 'no-store', path);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.match(String(headers['content-security-policy']), /default-src 'none'/);
      assert.match(String(headers['x-request-id']), /^\w{20,}$/);
      assert.equal('x-powered-by' in headers, false);
      assert.equal('set-cookie' in headers, false);
    }
  });

  it('gives the request id that the record has', async () => {
    const { headers } = await lab.call('get', '/api/v1/me');
    assert.equal(lab.audit.entries.at(-1)?.requestId, headers['x-request-id']);
  });

  it('H-10: calls a malformed escape in the address a mistake of who sent it, and records it', async () => {
    for (const address of ['/api/v1/users/%E0%A4%A/disable', '/api/v1/users/%zz/disable']) {
      const { status, body } = await lab.call('post', address);
      assert.deepEqual([status, body.error.code], [400, 'DG_ADDRESS_INVALID'], address);
      assert.equal(lab.audit.entries.at(-1)?.reason, 'address.invalid');
    }
  });

  describe('W-01: for web pages', () => {
    it('changes nothing for a page of another site, whatever credential comes with it', async () => {
      for (const origin of [
        'https://evil.example',
        'null',
        'http://localhost',
        'https://127.0.0.1.evil.example',
      ]) {
        const answer = await lab.call('post', '/api/v1/users', { body: newUser, headers: { origin } });
        assert.deepEqual([answer.status, answer.body.error.code], [403, 'DG_ORIGIN']);
        const remove = await lab.call('delete', '/api/v1/users/admin', { headers: { origin } });
        assert.equal(remove.status, 403);
      }
      assert.deepEqual(await users(), ['admin']);
      assert.equal(lab.audit.entries.filter(({ reason }) => reason === 'origin.foreign').length, 8);
    });

    it('does it for a page of its own', async () => {
      const headers = { origin: 'https://reg.example:8443', host: 'reg.example:8443' };
      assert.equal((await lab.call('post', '/api/v1/users', { body: newUser, headers })).status, 201);
    });

    it('takes no form, no plain text and no other type', async () => {
      for (const type of [
        'application/x-www-form-urlencoded',
        'text/plain',
        'multipart/form-data; boundary=x',
        'application/json-patch+json',
        '',
      ]) {
        const answer = await supertest(lab.app)
          .post('/api/v1/users')
          .set('authorization', basic('admin', PASSWORD))
          .set('content-type', type)
          .send(JSON.stringify(newUser));
        assert.deepEqual([type, answer.status, answer.body.error.code], [type, 415, 'DG_MEDIA_TYPE']);
      }
      assert.deepEqual(await users(), ['admin']);
    });

    it('changes nothing on GET or HEAD', async () => {
      for (const path of ['/users/admin/disable', '/users/admin/revoke', '/grants/remove', '/image/scan']) {
        assert.equal((await lab.call('get', `/api/v1${path}`)).status, 404);
        assert.equal((await lab.call('head', `/api/v1${path}`)).status, 404);
      }
    });

    it('offers nothing to other origins', async () => {
      const answer = await lab.call('options', '/api/v1/users', {
        as: '',
        headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
      });
      assert.equal(
        Object.keys(answer.headers).some((name) => name.startsWith('access-control')),
        false,
      );
    });
  });

  describe('W-10: for bodies', () => {
    const send = (body: string | Buffer, headers: Record<string, string> = {}) =>
      supertest(lab.app)
        .put('/api/v1/policies')
        .set('authorization', basic('admin', PASSWORD))
        .set('content-type', 'application/json')
        .set(headers)
        .serialize((text) => text as string)
        .send(body);

    for (const [what, body, status] of [
      ['of 300 KiB', `{"policies":["${'x'.repeat(300 * 1024)}"]}`, 413],
      ['that is no JSON', '{"policies":', 400],
      ['that is a list', '[]', 400],
      ['that is a text', '"policies"', 400],
      ['that is null', 'null', 400],
      ['that is empty', '', 400],
      ['nested 50,000 deep', `{"policies":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, 400],
      ['with a key __proto__', '{"__proto__":{"isAdmin":true},"policies":[]}', 400],
      ['with a key __proto__ further in', '{"policies":[{"name":"x","__proto__":{"isAdmin":true}}]}', 400],
      ['with a key constructor', '{"constructor":{"prototype":{"isAdmin":true}},"policies":[]}', 400],
    ] as const) {
      it(`refuses one ${what}, and records that`, async () => {
        const answer = await send(body);
        assert.equal(answer.status, status, answer.text);
        assert.match(answer.body.error.code, /^DG_(BODY|INPUT|POLICY)_INVALID$/);
        assert.equal(lab.audit.entries.length, 1);
        assert.deepEqual([lab.audit.entries[0]?.status, lab.audit.waits[0]], [status, 'record']);
        assert.equal('isAdmin' in {}, false);
      });
    }

    it('refuses a small one that unpacks to a large one', async () => {
      const bomb = gzipSync(`{"policies":["${'x'.repeat(2_000_000)}"]}`);
      assert.equal((await send(bomb, { 'content-encoding': 'gzip' })).status, 413);
    });

    it('refuses a character set that reads differently', async () => {
      const answer = await send('{"policies":[]}', { 'content-type': 'application/json; charset=utf-7' });
      assert.equal(answer.status, 415);
    });
  });

  describe('W-05: for members', () => {
    for (const body of [
      { ...newUser, role: 'admin' },
      { ...newUser, id: 1, createdAt: '2026-01-01T00:00:00.000Z' },
      { ...newUser, passwordHash: 'x' },
      { ...newUser, isDisabled: false },
      { name: 'bob' },
      { name: 'bob', password: 12345678901 },
      { name: ['bob'], password: PASSWORD },
    ]) {
      it(`refuses ${JSON.stringify(body).replace(PASSWORD, '…')} by the name of what is wrong, without its value`, async () => {
        const answer = await lab.call('post', '/api/v1/users', { body });
        assert.equal(answer.status, 400);
        assert.equal(answer.body.error.code, 'DG_INPUT_INVALID');
        assert.equal(answer.text.includes(PASSWORD), false);
        assert.deepEqual(await users(), ['admin']);
      });
    }

    it('refuses a member that the address gives already', async () => {
      const answer = await lab.call('put', '/api/v1/users/admin/password', {
        body: { name: 'bob', password: PASSWORD },
      });
      assert.equal(answer.status, 400);
    });

    for (const name of [
      '',
      'Bob',
      'a b',
      '../x',
      'a/b',
      'x'.repeat(65),
      'b\u0000',
      '-a',
      'a..b',
      'é',
      'anonymous',
      'local',
    ]) {
      it(`N: refuses the name ${JSON.stringify(name).slice(0, 20)}`, async () => {
        for (const path of ['/api/v1/users', '/api/v1/robots']) {
          const body = path.endsWith('users') ? { name, password: PASSWORD } : { name };
          assert.equal((await lab.call('post', path, { body })).status, 400);
        }
      });
    }
  });

  describe('W-11: for searches', () => {
    for (const query of [
      "user='%20OR%201=1--",
      'user=%25',
      "repository=_'%22;DROP%20TABLE%20records;--",
      "action=' UNION SELECT * FROM accounts --",
    ]) {
      it(`finds nothing, and breaks nothing, for ${query}`, async () => {
        const { status, body } = await lab.call('get', `/api/v1/audit/records?${query}`);
        assert.equal(status, 200);
        assert.deepEqual(body, { records: [] });
      });
    }

    for (const query of [
      'limit=1e9',
      'limit=0',
      'limit=1001',
      'limit=x',
      'limit=1&limit=2',
      'sort=name;--',
      'outcome=maybe',
      'since=yesterday',
      'before=-1',
      'user[$ne]=x',
    ]) {
      it(`A-24: refuses ${query}`, async () => {
        assert.equal((await lab.call('get', `/api/v1/audit/records?${query}`)).status, 400);
      });
    }

    it('A-24: are recorded themselves, with what was asked', async () => {
      await lab.call('get', '/api/v1/audit/records?user=alice&outcome=refused');
      assert.equal(lab.audit.entries.at(-1)?.note, '{"user":"alice","outcome":"refused","limit":100}');
    });
  });

  describe('for what breaks', () => {
    it('says 503 and serves nothing while the log cannot be written', async () => {
      lab.audit.state.isWritable = false;
      for (const as of ['admin', basic('admin', 'wrong-horse-battery')]) {
        const { status, body, headers } = await lab.call('get', '/api/v1/users', { as });
        assert.deepEqual([status, body.error.code], [503, 'DG_AUDIT_UNAVAILABLE']);
        assert.equal(headers['retry-after'], '2');
      }
      const wrong = await lab.call('put', '/api/v1/policies', {
        body: '{',
        headers: { 'content-type': 'application/json' },
      });
      assert.equal(wrong.status, 503);
      lab.audit.state.isWritable = true;
    });

    it('tells no cause, and records that it failed', async () => {
      await lab.store.close();
      const { status, text } = await lab.call('get', '/api/v1/users');
      assert.ok(status >= 500);
      assert.doesNotMatch(text, /sqlite|\/tmp|at .*\.ts/i);
      const entry = lab.audit.entries.at(-1);
      assert.deepEqual(
        [entry?.outcome, entry?.status, lab.audit.waits.at(-1)],
        ['refused', status, 'record'],
      );
      assert.match(String(entry?.reason), /^fault\.DG_/);
    });
  });

  describe('with the rules of accounts', () => {
    it('C-17: refuses a weak password with the reason', async () => {
      for (const [password, reason] of [
        ['short', /at least 10/],
        ['password1234', /easy to guess/],
        ['bob-and-some-more-9', /name of the account/],
      ] as const) {
        const { status, body } = await lab.call('post', '/api/v1/users', { body: { name: 'bob', password } });
        assert.deepEqual([status, body.error.code], [400, 'DG_PASSWORD_WEAK']);
        assert.match(body.error.message, reason);
      }
      assert.deepEqual(await users(), ['admin']);
    });

    it('W-07: keeps the last admin, by any way out', async () => {
      const admin = { role: 'admin', on: '**', subject: { kind: 'user', name: 'admin' } };
      for (const [method, path, body] of [
        ['post', '/users/admin/disable', undefined],
        ['delete', '/users/admin', undefined],
        ['post', '/grants/remove', admin],
        ['post', '/grants', { ...admin, effect: 'deny' }],
      ] as const) {
        const answer = await lab.call(method, `/api/v1${path}`, body === undefined ? {} : { body });
        assert.deepEqual([path, answer.status], [path, 409]);
        assert.match(answer.body.error.message, /administer/);
      }
    });

    it('W-07: keeps one of two who take each other away at once', async () => {
      await lab.addUser('second', ['admin', '**']);
      const both = await Promise.all([
        lab.call('delete', '/api/v1/users/second', { as: 'admin' }),
        lab.call('delete', '/api/v1/users/admin', { as: 'second' }),
      ]);
      assert.ok(both.some(({ status }) => status !== 200));
      assert.equal((await lab.store.accounts.listAccounts('user')).length, 1);
    });

    it('V-38: records a role and a policy as they were before the change and as they are after it', async () => {
      const last = () => lab.audit.entries.at(-1)?.change;
      const [pull, push] = [['pull'], ['pull', 'push']];
      await lab.call('put', '/api/v1/roles/mover', { body: { actions: pull } });
      assert.deepEqual(last(), { after: { role: 'mover', actions: pull } });
      await lab.call('put', '/api/v1/roles/mover', { body: { actions: push } });
      assert.deepEqual(last(), {
        before: { role: 'mover', actions: pull },
        after: { role: 'mover', actions: push },
      });
      await lab.call('delete', '/api/v1/roles/mover');
      assert.deepEqual(Object(last()).before, { role: 'mover', actions: push });
      const policyOf = (mode: string) => ({
        policies: [{ name: 'moved', match: ['moved/**'], mode, rules: { secrets: 'block' } }],
      });
      for (const mode of ['warn', 'enforce']) {
        const { status, body } = await lab.call('put', '/api/v1/policies', { body: policyOf(mode) });
        assert.equal(status, 200, JSON.stringify(body));
      }
      assert.equal(Object(last()).before.policies[0].mode, 'warn');
      assert.equal(Object(last()).after.policies[0].mode, 'enforce');
      await lab.call('delete', '/api/v1/policies/moved');
      assert.equal(Object(last()).before.policies[0].name, 'moved');
    });

    it("records what changes before it changes, and a robot's secret never", async () => {
      const seen: unknown[] = [];
      lab.audit.state.onRecord = async ({ action }) => {
        if (action === 'admin.robot.add')
          seen.push(await lab.store.accounts.findAccountByName('robot', 'ci'));
      };
      const { body } = await lab.call('post', '/api/v1/robots', { body: { name: 'ci', expires: '30d' } });
      assert.match(body.secret, /^dgr_/);
      assert.deepEqual(seen, [undefined]);
      assert.deepEqual(lab.audit.entries.at(-1)?.change, { after: { robot: 'ci', expires: '30d' } });
      const rotated = await lab.call('post', '/api/v1/robots/ci/rotate');
      assert.notEqual(rotated.body.secret, body.secret);
      await lab.call('put', '/api/v1/users/admin/password', {
        body: { password: 'another-horse-battery-9' },
      });
      const text = JSON.stringify(lab.audit.entries);
      for (const secret of [body.secret, rotated.body.secret, PASSWORD, 'another-horse-battery-9']) {
        assert.equal(text.includes(secret), false);
      }
      assert.equal((await lab.call('get', '/api/v1/me', { as: basic('ci', body.secret) })).status, 401);
      assert.equal(
        (await lab.call('get', '/api/v1/me', { as: basic('ci', rotated.body.secret) })).status,
        200,
      );
    });

    it('refuses a life of a robot that is none', async () => {
      for (const expires of ['0d', '-1d', 'soon', '99999999d']) {
        const { status } = await lab.call('post', '/api/v1/robots', { body: { name: 'ci', expires } });
        assert.equal(status, 400, expires);
      }
    });
  });

  describe('for who calls', () => {
    it('takes the refresh token of a sign-in, and no access token', async () => {
      const query = '/token?offline_token=true&scope=repository:a/b:pull';
      const { token, refresh_token: refreshToken } = (await lab.call('get', query)).body;
      const me = await lab.call('get', '/api/v1/me', { as: `Bearer ${refreshToken}` });
      assert.deepEqual(me.body, {
        ...{ kind: 'user', name: 'admin', via: 'refresh-token' },
        warnings: [],
      });
      assert.equal((await lab.call('get', '/api/v1/me', { as: `Bearer ${token}` })).status, 401);
    });

    it('ends a sign-in on the server', async () => {
      const first = (await lab.call('get', '/token?offline_token=true')).body.refresh_token;
      const second = (await lab.call('get', '/token?offline_token=true')).body.refresh_token;
      const out = await lab.call('post', '/api/v1/sign-out', { as: `Bearer ${first}` });
      assert.deepEqual([out.status, out.body], [200, { isEnded: true }]);
      assert.equal((await lab.call('get', '/api/v1/me', { as: `Bearer ${first}` })).status, 401);
      assert.equal((await lab.call('get', '/api/v1/me', { as: `Bearer ${second}` })).status, 200);
      assert.deepEqual((await lab.call('post', '/api/v1/sign-out')).body, { isEnded: false });
    });

    it('C-01: slows wrong passwords down with Retry-After', async () => {
      const wrong = basic('admin', 'wrong-horse-battery');
      let answer = await lab.call('get', '/api/v1/me', { as: wrong });
      for (let attempt = 0; attempt < 12 && answer.status !== 429; attempt += 1) {
        answer = await lab.call('get', '/api/v1/me', { as: wrong });
      }
      assert.equal(answer.status, 429);
      assert.ok(Number(answer.headers['retry-after']) > 0);
    });

    it('is `local` on the Unix socket, by no credential, and recorded as that', async () => {
      const local = await openApiLab(LOCAL_IDENTITY);
      try {
        const { status, body } = await local.call('get', '/api/v1/me', { as: '' });
        assert.deepEqual(
          [status, body],
          [200, { kind: 'local', name: 'local', via: 'socket', warnings: [] }],
        );
        assert.equal((await local.call('post', '/api/v1/users', { as: '', body: newUser })).status, 201);
        const entry = local.audit.entries.at(-1);
        assert.deepEqual([entry?.principal?.name, entry?.principal?.via], ['local', 'socket']);
        assert.equal(local.audit.waits.at(-1), 'record');
        const wrong = await local.call('post', '/api/v1/users', { as: '', body: { name: 'x' } });
        assert.equal(wrong.status, 400);
        assert.equal(local.audit.waits.at(-1), 'record', 'a refusal of somebody known is durable');
      } finally {
        await local.close();
      }
    });
  });

  describe('in its OpenAPI document', () => {
    it('is 3.1, names each operation once, and declares every parameter of every address', async () => {
      const { body } = await lab.call('get', '/api/v1/openapi.json', { as: '' });
      assert.match(body.openapi, /^3\.1\.\d$/);
      assert.equal(body.info.version, '1.2.3');
      const paths: Record<string, Record<string, Described>> = body.paths;
      const all = Object.entries(paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, described]) => ({ path, method, described })),
      );
      const ids = all.map(({ described }) => described.operationId);
      assert.equal(new Set(ids).size, ids.length);
      for (const { path, described } of all) {
        const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
        const declared = (described.parameters ?? [])
          .filter((one) => one.in === 'path')
          .map((one) => one.name);
        assert.deepEqual(declared.toSorted(), inPath.toSorted(), path);
        assert.ok(
          Object.keys(described.responses).some((status) => /^20[012]$/.test(status)),
          path,
        );
      }
      assert.equal(
        references(body).every((name) => name in (body.components?.schemas ?? {})),
        true,
      );
    });

    it('lists what is served: every other method and address is 404', async () => {
      const { body } = await lab.call('get', '/api/v1/openapi.json', { as: '' });
      for (const [path, methods] of Object.entries<Record<string, unknown>>(body.paths)) {
        const address = `/api/v1${path.replace(/\{\w+\}/g, 'x')}`;
        for (const method of ['get', 'post', 'put', 'delete', 'patch'] as const) {
          const { status } = await lab.call(method, address, { as: '' });
          assert.equal(status, method in methods ? 401 : 404, `${method} ${path}`);
        }
      }
      assert.equal((await lab.call('get', '/api/v1/users/')).status, 404);
      assert.equal((await lab.call('get', '/API/v1/users')).status, 404);
    });
  });
});

function references(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    key === '$ref' ? [String(member).replace('#/components/schemas/', '')] : references(member),
  );
}
