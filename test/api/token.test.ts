import assert from 'node:assert/strict';
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import supertest from 'supertest';
import { DAY_MS } from '../../src/base/index.ts';
import { basic } from '../auth/fixtures.ts';
import { type ApiLab, openApiLab, PASSWORD } from './lab.ts';

const WRONG = 'wrong-horse-battery-9';

describe('the token endpoint', () => {
  let lab: ApiLab;
  let aliceId: string;
  let robotSecret: string;

  beforeEach(async () => {
    lab = await openApiLab();
    aliceId = await lab.addUser('alice', ['reader', 'pub/**'], ['developer', 'team/**']);
    robotSecret = await lab.addRobot('ci', ['developer', 'team/**']);
  });
  afterEach(() => lab.close());

  const get = (query: string, as = 'alice') => lab.call('get', `/token?${query}`, { as });
  const form = (fields: readonly (readonly [string, string])[]) =>
    supertest(lab.app)
      .post('/token')
      .type('form')
      .send(fields.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&'));
  const passwordForm = (...more: readonly (readonly [string, string])[]) =>
    form([
      ['grant_type', 'password'],
      ['service', 'dockgate'],
      ['client_id', 'test'],
      ['username', 'alice'],
      ['password', PASSWORD],
      ...more,
    ]);
  const refreshForm = (token: string, ...more: readonly (readonly [string, string])[]) =>
    form([['grant_type', 'refresh_token'], ['refresh_token', token], ...more]);
  const accessOf = (token: string) => decodeJwt<{ access: unknown }>(token).access;

  describe('asked by GET', () => {
    it('gives a token in both members, with its life and its time', async () => {
      const { status, body, headers } = await get('service=dockgate&scope=repository:team/app:pull,push');
      assert.equal(status, 200);
      assert.equal(body.token, body.access_token);
      assert.equal(body.expires_in, 300);
      assert.equal(body.issued_at, new Date(lab.clock.nowMs()).toISOString());
      assert.equal(headers['cache-control'], 'no-store');
      assert.deepEqual(accessOf(body.token), [
        { type: 'repository', name: 'team/app', actions: ['pull', 'push'] },
      ]);
      assert.equal('refresh_token' in body, false);
    });

    it('signs what the published keys verify, and publishes nothing private', async () => {
      const { body } = await get('scope=repository:team/app:pull');
      const jwks = (await lab.call('get', '/.well-known/jwks.json', { as: '' })).body;
      const { payload, protectedHeader } = await jwtVerify(body.token, createLocalJWKSet(jwks), {
        audience: 'dockgate',
        issuer: 'https://localhost:8443',
        currentDate: new Date(lab.clock.nowMs()),
      });
      assert.equal(payload.sub, aliceId);
      assert.ok(['ES256', 'EdDSA'].includes(protectedHeader.alg));
      for (const key of jwks.keys) {
        for (const part of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.equal(part in key, false, part);
      }
    });

    it('T-18: gives what is granted of what was asked, and that may be nothing', async () => {
      const { status, body } = await get(
        'scope=repository:secret/app:pull,push&scope=repository:pub/a:pull,push',
      );
      assert.equal(status, 200);
      assert.deepEqual(accessOf(body.token), [{ type: 'repository', name: 'pub/a', actions: ['pull'] }]);
      const nothing = await get('scope=repository:secret/app:pull');
      assert.equal(nothing.status, 200);
      assert.deepEqual(accessOf(nothing.body.token), []);
    });

    it('names the repository that a plain name means at a default mirror, and looks up the rights on that', async () => {
      const { body } = await get('scope=repository:plain:pull');
      assert.deepEqual(accessOf(body.token), [{ type: 'repository', name: 'team/app', actions: ['pull'] }]);
    });

    it('is a probe of the sign-in without a scope', async () => {
      assert.deepEqual(accessOf((await get('service=dockgate')).body.token), []);
    });

    const forms: readonly (readonly [what: string, query: string])[] = [
      ['repeated', 'scope=repository:pub/a:pull&scope=repository:team/b:pull'],
      ['in one, with a space', 'scope=repository:pub/a:pull+repository:team/b:pull'],
      ['in one, with an encoded space', 'scope=repository:pub/a:pull%20repository:team/b:pull'],
    ];
    for (const [what, query] of forms) {
      it(`T-19: reads several scopes ${what}`, async () => {
        const { body } = await get(query);
        assert.deepEqual(accessOf(body.token), [
          { type: 'repository', name: 'pub/a', actions: ['pull'] },
          { type: 'repository', name: 'team/b', actions: ['pull'] },
        ]);
      });
    }

    for (const scope of [
      'repository:host:5000/pub/app:pull',
      'repository(plugin):pub/app:pull',
      'repository:pub/app:*',
      'repository:pub/app:pull,,push',
      'repository:pub/../team/app:push',
      'repository:*:pull',
      'repository:pub/*:push',
      'Repository:pub/app:push',
      'registry:catalog:*',
      'registry:catalog:pull',
      'repository:pub/app:',
      ':::',
      'x',
      '__proto__:constructor:pull',
    ]) {
      it(`T-19, T-17: gives no more than granted, or 400, for the scope ${scope}`, async () => {
        const { status, body, type } = await get(`scope=${encodeURIComponent(scope)}`);
        assert.equal(type, 'application/json');
        if (status === 400) return assert.equal(body.errors.length, 1);
        assert.equal(status, 200);
        for (const { type: kind, name, actions } of accessOf(body.token) as {
          type: string;
          name: string;
          actions: string[];
        }[]) {
          if (kind === 'registry') assert.deepEqual([name, actions], ['catalog', ['*']]);
          else assert.deepEqual([kind, name, actions], ['repository', 'pub/app', ['pull']]);
        }
      });
    }

    it('gives an anonymous token without a credential, with what everybody may', async () => {
      await lab.grant({ kind: 'anonymous', name: '' }, [['reader', 'open/**']]);
      const { status, body } = await get('scope=repository:open/a:pull,push&scope=repository:pub/a:pull', '');
      assert.equal(status, 200);
      assert.deepEqual(accessOf(body.token), [{ type: 'repository', name: 'open/a', actions: ['pull'] }]);
      assert.equal(decodeJwt(body.token).sub, '');
    });

    it('gives no refresh token to nobody', async () => {
      const { body } = await get('offline_token=true', '');
      assert.equal('refresh_token' in body, false);
    });

    it('refuses another service in JSON', async () => {
      const { status, body } = await get('service=registry.example');
      assert.equal(status, 400);
      assert.deepEqual(Object.keys(body), ['errors']);
      assert.match(body.errors[0].message, /service must be dockgate/);
    });

    it('gives no token for a token', async () => {
      const { body } = await get('scope=repository:team/app:pull');
      const again = await get('scope=repository:team/app:pull', `Bearer ${body.token}`);
      assert.equal(again.status, 401);
      assert.equal(lab.audit.entries.at(-1)?.reason, 'token.kind');
    });

    it('T-37: refuses two Authorization headers', async () => {
      const { status, body } = await supertest(lab.app)
        .get('/token')
        .set('authorization', [basic('alice', PASSWORD), basic('bob', PASSWORD)] as never);
      assert.equal(status, 400);
      assert.equal(body.errors.length, 1);
    });

    it('T-38: takes no credential from the query', async () => {
      const { body } = await get(
        `username=alice&password=${PASSWORD}&access_token=x&scope=repository:team/app:pull`,
        '',
      );
      assert.deepEqual(accessOf(body.token), []);
    });
  });

  describe('asked by POST', () => {
    it('gives a token for a password', async () => {
      const { status, body } = await passwordForm(['scope', 'repository:team/app:pull']);
      assert.equal(status, 200);
      assert.equal(body.token, body.access_token);
      assert.equal(body.scope, 'repository:team/app:pull');
      assert.equal('refresh_token' in body, false);
    });

    it('reads a repeated scope, as containers/image sends it', async () => {
      const { body } = await passwordForm(
        ['scope', 'repository:team/a:pull'],
        ['scope', 'repository:team/b:pull,push'],
      );
      assert.equal(body.scope, 'repository:team/a:pull repository:team/b:pull,push');
    });

    it('T-24: gives a refresh token that works again and again, for the rights of the moment', async () => {
      const first = await passwordForm(['access_type', 'offline']);
      const refreshToken = first.body.refresh_token;
      for (let use = 0; use < 3; use += 1) {
        const { status, body } = await refreshForm(refreshToken, ['scope', 'repository:team/app:pull,push']);
        assert.equal(status, 200);
        assert.equal(body.scope, 'repository:team/app:pull,push');
      }
      const both = await Promise.all([refreshForm(refreshToken), refreshForm(refreshToken)]);
      assert.deepEqual(
        both.map(({ status }) => status),
        [200, 200],
      );
      await lab.call('post', '/api/v1/grants/remove', {
        body: { role: 'developer', on: 'team/**', subject: { kind: 'user', name: 'alice' } },
      });
      assert.equal((await refreshForm(refreshToken, ['scope', 'repository:team/app:pull'])).body.scope, '');
    });

    for (const [cause, end] of [
      ['the account is disabled', () => lab.call('post', '/api/v1/users/alice/disable')],
      ['its tokens are revoked', () => lab.call('post', '/api/v1/users/alice/revoke')],
      [
        'the password is changed',
        () => lab.call('put', '/api/v1/users/alice/password', { body: { password: WRONG } }),
      ],
      ['the account is removed', () => lab.call('delete', '/api/v1/users/alice')],
      ['it was not used for 90 days', async () => lab.clock.advance(90 * DAY_MS)],
    ] as const) {
      it(`T-24: a refresh token is dead when ${cause}`, async () => {
        const { body } = await passwordForm(['access_type', 'offline']);
        lab.clock.advance(1000);
        await end();
        const answer = await refreshForm(body.refresh_token);
        assert.equal(answer.status, 401);
        assert.match(String(lab.audit.entries.at(-1)?.reason), /^refresh-token\./);
      });
    }

    it('T-25: refuses a refresh token for another service, and no scope beyond the subject', async () => {
      const { body } = await passwordForm(['access_type', 'offline']);
      const other = await refreshForm(body.refresh_token, ['service', 'elsewhere']);
      assert.equal(other.status, 400);
      const beyond = await refreshForm(body.refresh_token, ['scope', 'repository:secret/app:pull']);
      assert.deepEqual([beyond.status, beyond.body.scope], [200, '']);
    });

    it('signs a robot in with its secret, and gives it no refresh token', async () => {
      const { status, body } = await form([
        ['grant_type', 'password'],
        ['username', 'ci'],
        ['password', robotSecret],
        ['access_type', 'offline'],
        ['scope', 'repository:team/app:push'],
      ]);
      assert.deepEqual([status, body.scope], [200, 'repository:team/app:push']);
      assert.equal('refresh_token' in body, false);
      const viaGet = await get('offline_token=true', basic('ci', robotSecret));
      assert.equal('refresh_token' in viaGet.body, false);
    });

    for (const [what, fields] of [
      ['an unknown grant type', [['grant_type', 'client_credentials']]],
      ['no grant type', [['username', 'alice']]],
      [
        'two grant types, of which the first is unknown',
        [
          ['grant_type', 'x'],
          ['grant_type', 'password'],
        ],
      ],
    ] as const) {
      it(`answers 400 in JSON for ${what}`, async () => {
        const { status, body, type } = await form(fields);
        assert.deepEqual([status, type], [400, 'application/json']);
        assert.match(body.errors[0].message, /grant_type must be/);
      });
    }

    it('answers in JSON whatever the body is', async () => {
      const bodies: readonly (readonly [type: string, body: string, status: number])[] = [
        ['application/json', '{"grant_type":"password"}', 400],
        ['text/plain', 'grant_type=password', 400],
        ['application/x-www-form-urlencoded; charset=utf-7', 'grant_type=password', 415],
        ['application/x-www-form-urlencoded', `a=${'x'.repeat(70_000)}`, 413],
        ['application/x-www-form-urlencoded', 'a=1&'.repeat(300), 413],
      ];
      for (const [contentType, body, expected] of bodies) {
        const answer = await supertest(lab.app).post('/token').set('content-type', contentType).send(body);
        assert.deepEqual(
          [contentType, answer.status, answer.type],
          [contentType, expected, 'application/json'],
        );
        assert.equal(answer.body.errors.length, 1);
      }
    });

    it('is not fooled by names of members of objects', async () => {
      const { status } = await form([
        ['__proto__', 'x'],
        ['constructor', 'x'],
        ['grant_type', 'toString'],
      ]);
      assert.equal(status, 400);
      assert.equal('x' in {}, false);
    });

    it('W-01: is nothing for a page of another site', async () => {
      const answer = await passwordForm().set('origin', 'https://evil.example');
      assert.equal(answer.status, 403);
      assert.equal(answer.body.errors.length, 1);
    });
  });

  describe('and credentials that are not right', () => {
    it('C-02: looks the same for an unknown user, a wrong password and a disabled account', async () => {
      await lab.addUser('bob');
      await lab.call('post', '/api/v1/users/bob/disable');
      const answers = await Promise.all(
        [basic('nobody', WRONG), basic('alice', WRONG), basic('bob', PASSWORD)].map((as) => get('', as)),
      );
      const [first, ...others] = answers.map(({ status, text, type }) => ({ status, text, type }));
      assert.equal(first?.status, 401);
      for (const other of others) assert.deepEqual(other, first);
      const reasons = lab.audit.entries.slice(-3).map(({ reason }) => reason);
      assert.deepEqual(reasons.toSorted(), ['sign-in.inactive', 'sign-in.password', 'sign-in.unknown']);
    });

    it('C-01: slows an account down after a few attempts, records each, and lets the right password in later', async () => {
      const statuses: number[] = [];
      for (let attempt = 0; attempt < 12; attempt += 1)
        statuses.push((await get('', basic('alice', WRONG))).status);
      assert.equal(statuses[0], 401);
      assert.equal(statuses.at(-1), 429);
      const { headers } = await get('', basic('alice', WRONG));
      assert.ok(Number(headers['retry-after']) >= 1);
      assert.equal(lab.audit.entries.filter(({ outcome }) => outcome === 'refused').length, 13);
      assert.ok(
        lab.audit.waits.every((wait) => wait === 'record'),
        'all of them durable',
      );
      lab.clock.advance(Number(headers['retry-after']) * 1000 + 1000);
      assert.equal((await get('', 'alice')).status, 200);
    });

    it('C-01: a limit on passwords stops no token', async () => {
      const { body } = await passwordForm(['access_type', 'offline']);
      for (let attempt = 0; attempt < 12; attempt += 1) await get('', basic('alice', WRONG));
      assert.equal((await refreshForm(body.refresh_token)).status, 200);
    });

    for (const [what, header] of [
      ['Basic that is no base64', 'Basic !!!'],
      ['Basic without a colon', `Basic ${Buffer.from('alice').toString('base64')}`],
      ['an empty user', basic('', PASSWORD)],
      ['an empty password', basic('alice', '')],
      ['LDAP in the name', basic('*)(uid=*', PASSWORD)],
      ['SQL in the name', basic("' OR 1=1--", PASSWORD)],
      ['a colon too many', basic('alice:x', PASSWORD)],
      ['an unknown scheme', 'Negotiate abc'],
      ['nothing behind the scheme', 'Basic'],
      ["a robot's secret under another name", 'ROBOT'],
    ] as const) {
      it(`C-07: refuses ${what}`, async () => {
        const { status, body } = await get('', header === 'ROBOT' ? basic('alice', robotSecret) : header);
        assert.equal(status, 401);
        assert.equal(body.errors[0].code, 'UNAUTHORIZED');
      });
    }

    it('C-10: refuses a robot whose life is over', async () => {
      lab.clock.advance(DAY_MS);
      assert.equal((await get('', basic('ci', robotSecret))).status, 401);
    });
  });

  describe('and its records', () => {
    it('A-04: hold no password, secret or token', async () => {
      const first = await passwordForm(['access_type', 'offline'], ['scope', 'repository:team/app:pull']);
      await refreshForm(first.body.refresh_token);
      await get('', basic('alice', WRONG));
      await get('', basic('ci', robotSecret));
      await refreshForm(`${first.body.refresh_token}x`);
      const text = JSON.stringify(lab.audit.entries);
      for (const secret of [PASSWORD, WRONG, robotSecret, first.body.token, first.body.refresh_token]) {
        assert.equal(text.includes(secret), false);
      }
    });

    it('name the token by its id and what it holds', async () => {
      const { body } = await get('scope=repository:team/app:pull');
      const entry = lab.audit.entries.at(-1);
      assert.equal(entry?.principal?.tokenId, decodeJwt(body.token).jti);
      assert.deepEqual(
        [entry?.action, entry?.outcome, entry?.note],
        ['token', 'allowed', 'repository:team/app:pull'],
      );
    });

    it('come before the answer: without them there is no token, and no refresh token is kept', async () => {
      lab.audit.state.isWritable = false;
      const { status, body } = await passwordForm(['access_type', 'offline']);
      assert.equal(status, 503);
      assert.equal(body.errors[0].code, 'UNAVAILABLE');
      lab.audit.state.isWritable = true;
    });

    it('are not waited for where nobody showed a credential and nothing is given', async () => {
      await get('service=other', '');
      assert.equal(lab.audit.waits.at(-1), 'note');
      await get('', '');
      assert.equal(lab.audit.waits.at(-1), 'record');
    });
  });
});
