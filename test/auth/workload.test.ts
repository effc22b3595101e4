import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import { type Account, createWorkloadSignIn, type WorkloadIssuer } from '../../src/auth/index.ts';
import { createManualClock, HOUR_MS, SECOND_MS, silentLogger } from '../../src/base/index.ts';

const ISSUER = 'https://ci.test/realm';
const RULES: WorkloadIssuer['rules'] = [
  { robot: 'ci', claims: { repository: 'org/app', ref: 'refs/heads/*' } },
  { robot: 'lib', claims: { sub: 'repo:org/*:**' } },
];

function createWorld(rules = RULES) {
  const clock = createManualClock();
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = (key: KeyObject, kid: string) => ({ ...createPublicKey(key).export({ format: 'jwk' }), kid });
  const published: { keys: object[]; issuer: string } = { keys: [jwk(rsa.privateKey, 'k1')], issuer: ISSUER };
  const fetched: string[] = [];
  const failures: string[] = [];
  const state = { isDown: false, delayMs: 0, isLive: true };
  const robots = ['ci', 'lib'].map(
    (name): Account => ({
      ...{ kind: 'robot', id: `id-${name}`, name, secretHash: 'x', isDisabled: false },
      ...{ notBeforeMs: 0, createdAtMs: 0 },
    }),
  );
  const signIn = createWorkloadSignIn(
    [{ issuer: ISSUER, audiences: ['dockgate'], lifetimeMsMax: HOUR_MS, rules }],
    {
      clock,
      logger: silentLogger,
      accounts: { findAccountByName: async (_kind, name) => robots.find((one) => one.name === name) },
      directory: { isLive: async () => state.isLive },
      attempts: {
        delayMs: async () => state.delayMs,
        failed: async (account) => void failures.push(account),
        succeeded: async () => {},
      },
      fetchDocument: () => async (url) => {
        fetched.push(url);
        if (state.isDown) throw new Error('unreachable');
        const isKeys = url.endsWith('/keys');
        return isKeys ? { keys: published.keys } : { issuer: published.issuer, jwks_uri: `${ISSUER}/keys` };
      },
    },
  );
  const nowSeconds = () => Math.floor(clock.nowMs() / 1000);
  const claims = (): JWTPayload => ({
    ...{ iss: ISSUER, aud: 'dockgate', sub: 'job', iat: nowSeconds(), exp: nowSeconds() + 300 },
    ...{ repository: 'org/app', ref: 'refs/heads/main', jti: 'run-1' },
  });
  const sign = (given: JWTPayload = {}, header: object = {}, key: KeyObject | Uint8Array = rsa.privateKey) =>
    new SignJWT({ ...claims(), ...given })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1', ...header })
      .sign(key);
  const prove = async (token: string) => {
    const result = await signIn.prove({ token, source: '192.0.2.1' });
    return result.ok ? result.identity.principal.name : result.reason;
  };
  return { clock, rsa, jwk, published, fetched, failures, state, signIn, nowSeconds, sign, prove };
}

describe('a workload', () => {
  it('C-11: is the robot of the first rule whose claims match, known by its token', async () => {
    const { signIn, sign, clock } = createWorld();
    const result = await signIn.prove({ token: await sign(), source: '192.0.2.1' });
    assert.ok(result.ok);
    assert.deepEqual(result.identity, {
      principal: { kind: 'robot', id: 'id-ci', name: 'ci' },
      ...{ via: 'workload', provedAtMs: clock.nowMs(), scopes: undefined, tokenId: 'run-1' },
    });
  });

  for (const [what, claims, expected] of [
    ['another branch', { ref: 'refs/heads/x' }, 'ci'],
    ['a tag', { ref: 'refs/tags/v1' }, 'workload.rule'],
    ['a branch with a slash, which * is not', { ref: 'refs/heads/a/b' }, 'workload.rule'],
    ['another repository', { repository: 'org/app2' }, 'workload.rule'],
    ['a repository that only begins alike', { repository: 'org/app/x' }, 'workload.rule'],
    ['one that only ends alike', { repository: 'evil/org/app' }, 'workload.rule'],
    ['a repository on two lines', { repository: 'org/app\nx' }, 'workload.rule'],
    ['a claim that is a list', { repository: ['org/app'] }, 'workload.rule'],
    ['a claim that is missing', { repository: undefined }, 'workload.rule'],
    ['the second rule', { repository: 'x', sub: 'repo:org/lib:ref:refs/heads/main' }, 'lib'],
    ['org-evil where org/* is meant', { repository: 'x', sub: 'repo:org-evil/lib:ref' }, 'workload.rule'],
    ['a subject of many parts', { repository: 'x', sub: 'repo:org/a/b:ref' }, 'workload.rule'],
    ['a list of audiences with ours', { aud: ['other', 'dockgate'] }, 'ci'],
    ['another audience', { aud: 'other' }, 'workload.audience'],
    ['no audience', { aud: undefined }, 'workload.audience'],
    ['an empty list of audiences', { aud: [] }, 'workload.audience'],
    ['no expiry', { exp: undefined }, 'workload.claims'],
    ['no time of issue', { iat: undefined }, 'workload.claims'],
    ['an issuer with a slash more', { iss: `${ISSUER}/` }, 'workload.issuer'],
    ['an issuer that is not configured', { iss: 'https://evil.test' }, 'workload.issuer'],
    ['no issuer', { iss: undefined }, 'workload.issuer'],
  ] as const) {
    it(`C-11, T-12: with ${what} is ${expected}`, async () => {
      const { sign, prove } = createWorld();
      assert.equal(await prove(await sign(claims as JWTPayload)), expected);
    });
  }

  it('T-12: is refused when its token is over, comes from the future, or was made for too long', async () => {
    const { sign, prove, nowSeconds } = createWorld();
    const now = nowSeconds();
    assert.equal(await prove(await sign({ iat: now - 400, exp: now - 31 })), 'workload.expired');
    assert.equal(await prove(await sign({ iat: now - 400, exp: now - 29 })), 'ci');
    assert.equal(await prove(await sign({ nbf: now + 31 })), 'workload.early');
    assert.equal(await prove(await sign({ iat: now + 31, exp: now + 60 })), 'workload.early');
    assert.equal(await prove(await sign({ iat: now, exp: now + 3601 })), 'workload.lifetime');
    assert.equal(await prove(await sign({ iat: now, exp: now + 3600 })), 'ci');
  });

  it('T-02, T-05: is refused by any signature but one of the published keys, asymmetric', async () => {
    const { rsa, sign, prove, jwk } = createWorld();
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    assert.equal(await prove(await sign({}, {}, other)), 'workload.signature');
    assert.equal(await prove(await sign({}, { jwk: jwk(other, 'k1') }, other)), 'workload.signature');
    const pem = Buffer.from(rsa.publicKey.export({ type: 'spki', format: 'pem' }));
    assert.equal(await prove(await sign({}, { alg: 'HS256' }, pem)), 'workload.algorithm');
    const [, payload] = (await sign()).split('.');
    const none = Buffer.from('{"alg":"none","kid":"k1"}').toString('base64url');
    assert.equal(await prove(`${none}.${payload}.AAAA`), 'workload.algorithm');
    assert.equal(await prove('eyJhbGciOiJSUzI1NiJ9.e30'), 'workload.malformed');
    assert.equal(await prove(`eyJ${'a'.repeat(20_000)}.aa.aa`), 'workload.malformed');
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    assert.equal(await prove(await sign({}, { alg: 'ES256' }, ec)), 'workload.key');
  });

  it('T-02: is not verified by a secret that its issuer publishes by mistake', async () => {
    const { published, sign, prove } = createWorld();
    const secret = Buffer.alloc(32, 1);
    published.keys.push({ kty: 'oct', k: secret.toString('base64url'), kid: 'k1', alg: 'HS256' });
    assert.equal(await prove(await sign({}, { alg: 'HS256' }, secret)), 'workload.algorithm');
  });

  it('F-44: costs one look for keys in 30 seconds, whatever keys unknown tokens name', async () => {
    const { fetched, sign, prove, clock } = createWorld();
    assert.equal(await prove(await sign()), 'ci');
    assert.equal(fetched.length, 2);
    for (const kid of ['a', 'b', 'c']) assert.equal(await prove(await sign({}, { kid })), 'workload.key');
    assert.equal(fetched.length, 2);
    clock.advance(30 * SECOND_MS);
    assert.equal(await prove(await sign({}, { kid: 'a' })), 'workload.key');
    assert.equal(fetched.length, 4);
  });

  it('F-44: is known by a new key of its issuer, and by those there are while the issuer is away', async () => {
    const { published, jwk, sign, prove, clock, state } = createWorld();
    assert.equal(await prove(await sign()), 'ci');
    const next = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    published.keys.push(jwk(next, 'k2'));
    clock.advance(30 * SECOND_MS);
    assert.equal(await prove(await sign({}, { kid: 'k2' }, next)), 'ci');
    state.isDown = true;
    clock.advance(HOUR_MS);
    assert.equal(await prove(await sign()), 'ci');
    clock.advance(24 * HOUR_MS);
    assert.equal(await prove(await sign()), 'workload.keys');
  });

  it('is refused when the discovery document names another issuer', async () => {
    const { published, sign, prove } = createWorld();
    published.issuer = 'https://evil.test';
    assert.equal(await prove(await sign()), 'workload.keys');
  });

  it('C-10: is refused when its robot is not there or not active', async () => {
    const { sign, prove, state } = createWorld([{ robot: 'gone', claims: { sub: 'job' } }]);
    assert.equal(await prove(await sign()), 'workload.robot');
    const other = createWorld();
    other.state.isLive = false;
    assert.equal(await other.prove(await other.sign()), 'sign-in.inactive');
    assert.equal(state.isLive, true);
  });

  it('C-01: that fails counts as an attempt of its source, and a right one is let in whatever the counter says', async () => {
    const { sign, prove, failures, state } = createWorld();
    await prove(await sign({ aud: 'other' }));
    assert.deepEqual(failures, ['?workload']);
    state.delayMs = 1000;
    assert.equal(await prove(await sign({ aud: 'other' })), 'limit.sign-in');
    assert.equal(await prove(await sign()), 'ci');
  });
});
