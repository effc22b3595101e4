import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { importJWK, type JWK, SignJWT } from 'jose';
import { openProviders } from '../../../src/app/open-providers.ts';
import { createManualClock, systemRandom } from '../../../src/base/index.ts';
import { createBrowser } from '../../support/browser.ts';
import { newKey, providerConfig, startTls } from '../../support/openid.ts';
import { type ApiLab, openApiLab } from '../lab.ts';

type Tls = Awaited<ReturnType<typeof startTls>>;
interface Minted {
  readonly claims: Readonly<Record<string, unknown>>;
  readonly key: JWK;
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

async function sign({ claims, key }: Minted): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: key.kid ?? '' })
    .sign(await importJWK(key, 'RS256'));
}

describe('a provider that lies, or whom somebody speaks for', () => {
  let tls: Tls;
  let lab: ApiLab;
  let key: JWK;
  let other: JWK;
  /** What it does with a sign-in; each test may change a part. */
  let mint: (minted: Minted) => string | Promise<string>;
  let claims: Record<string, unknown>;
  let metadata: Record<string, unknown>;
  let keyStatus: number;
  let nonce = '';

  before(async () => {
    tls = await startTls();
    [key, other] = [await newKey('k1'), await newKey('k2')];
    tls.listen((request, response) => {
      const json = (value: unknown, status = 200) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
      if (request.url === '/keys') {
        const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...publicKey } = key;
        json({ keys: [publicKey] }, keyStatus);
      } else if (request.url === '/token') {
        const nowSeconds = Math.floor(Date.now() / 1000);
        const usual = {
          iss: tls.url,
          aud: 'dockgate',
          sub: 'subject-1',
          preferred_username: 'carol',
          groups: [],
        };
        const times = { iat: nowSeconds, exp: nowSeconds + 300 };
        void Promise.resolve(mint({ claims: { ...usual, ...times, nonce, ...claims }, key })).then(
          (idToken) => json({ access_token: 'a', token_type: 'Bearer', id_token: idToken }),
        );
      } else json(metadata);
    });
  });
  after(() => tls.close());
  beforeEach(async () => {
    mint = sign;
    claims = {};
    keyStatus = 200;
    metadata = {
      issuer: tls.url,
      authorization_endpoint: `${tls.url}/auth`,
      token_endpoint: `${tls.url}/token`,
      jwks_uri: `${tls.url}/keys`,
      id_token_signing_alg_values_supported: ['RS256', 'none', 'HS256'],
    };
    lab = await openLab({});
  });
  afterEach(() => lab.close());

  function openLab(more: Parameters<typeof providerConfig>[1]): Promise<ApiLab> {
    const parts = { clock: createManualClock(), random: systemRandom };
    return openApiLab(undefined, {
      providers: openProviders({ providers: [providerConfig(tls, more)] }, parts),
    });
  }

  async function signIn() {
    const browser = createBrowser(lab.app);
    const start = await browser.get('/login/oidc/corp');
    if (start.status !== 303) return start;
    const { searchParams } = new URL(start.location ?? '');
    nonce = searchParams.get('nonce') ?? '';
    const query = new URLSearchParams({ code: 'c', state: searchParams.get('state') ?? '' });
    const shown = await browser.get(`/login/oidc/corp/callback?${query}`);
    assert.equal(browser.jar.has('__Host-dockgate-session'), shown.status === 303);
    return shown;
  }

  async function refuses(status = 403, reason = 'sign-in.provider.answer') {
    const shown = await signIn();
    assert.deepEqual([shown.status, lab.lastEntry()?.reason], [status, reason], shown.text);
    assert.equal(await lab.store.accounts.findAccountByName('user', 'carol'), undefined);
    return shown;
  }

  it('is believed when all is well', async () => {
    assert.equal((await signIn()).status, 303);
  });

  const bad: Readonly<Record<string, Record<string, unknown>>> = {
    'T-12: another issuer': { iss: 'https://evil.example' },
    'T-12: an issuer with a slash more': { iss: 'https://localhost/' },
    'T-12: another audience': { aud: 'other' },
    'T-12: no audience': { aud: [] },
    'T-12: several audiences, meant for another': { aud: ['dockgate', 'other'], azp: 'other' },
    'another nonce': { nonce: 'x'.repeat(43) },
    'no nonce': { nonce: undefined },
    'an ID token that is over': { iat: 1, exp: 2 },
    'no end': { exp: undefined },
    'no subject': { sub: undefined },
    'one that is not valid yet': { nbf: Math.floor(Date.now() / 1000) + 3600 },
  };
  for (const [what, changed] of Object.entries(bad)) {
    it(`refuses ${what}`, async () => {
      claims = changed;
      await refuses();
    });
  }

  it('T-01: refuses alg none, though the provider offers it', async () => {
    mint = ({ claims: body }) => `${encode({ alg: 'none' })}.${encode(body)}.`;
    await refuses();
  });

  it('T-02: refuses HS256 under the public key and under the secret of the client', async () => {
    for (const secret of [JSON.stringify(key.n), 'a-secret-of-the-client-0123456789']) {
      mint = ({ claims: body }) => {
        const signed = `${encode({ alg: 'HS256', kid: 'k1' })}.${encode(body)}`;
        return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
      };
      await refuses();
    }
  });

  it('T-03: refuses a signature by another key under the same name, and by a key that is not published', async () => {
    mint = ({ claims: body }) => sign({ claims: body, key: { ...other, kid: 'k1' } });
    await refuses();
    mint = ({ claims: body }) => sign({ claims: body, key: other });
    await refuses();
  });

  it('T-05: takes no key that comes with the token', async () => {
    mint = async ({ claims: body }) => {
      const { n, e, kty } = other;
      return new SignJWT({ ...body })
        .setProtectedHeader({ alg: 'RS256', kid: 'k1', jwk: { n, e, kty } as JWK })
        .sign(await importJWK(other, 'RS256'));
    };
    await refuses();
  });

  it('is not believed for another issuer by its own document', async () => {
    metadata = { ...metadata, issuer: 'https://evil.example' };
    assert.ok([403, 503].includes((await signIn()).status));
  });

  it('C-11: is not asked without TLS, and its secret goes nowhere by a redirect', async () => {
    metadata = { ...metadata, token_endpoint: `${tls.url.replace('https:', 'http:')}/token` };
    const shown = await signIn();
    assert.ok([403, 503].includes(shown.status));
    assert.equal(await lab.store.accounts.findAccountByName('user', 'carol'), undefined);
  });

  it('says so when its keys cannot be had, and lets nobody in', async () => {
    keyStatus = 500;
    await refuses(503, 'sign-in.provider.away');
  });

  it('P-23: is not asked at a private address unless that was configured', async () => {
    await lab.close();
    lab = await openLab({ allowsPrivate: false });
    await refuses(503, 'sign-in.provider.away');
  });

  it('is away: a sentence, no session, and local people sign in as ever', async () => {
    await lab.close();
    lab = await openLab({ issuer: 'https://localhost:1' });
    const shown = await refuses(503, 'sign-in.provider.away');
    assert.match(
      shown.text,
      /Corp SSO does not answer: try again in a moment, or sign in with a local password/,
    );
  });

  it('lets in people of the configured domains alone, and only with an address that it has verified', async () => {
    await lab.close();
    lab = await openLab({ emailDomains: ['corp.example'], nameClaim: 'email' });
    const wrong = [
      {},
      { email: 'carol@corp.example' },
      { email: 'carol@corp.example', email_verified: 'true' },
      { email: 'carol@evil.example', email_verified: true },
      { email: 'carol@corp.example@evil.example', email_verified: true },
      { email: 'carol@sub.corp.example', email_verified: true },
    ];
    for (const changed of wrong) {
      claims = changed;
      await refuses(403, 'sign-in.provider.person');
    }
    claims = { email: 'Carol@Corp.Example', email_verified: true };
    assert.equal((await signIn()).status, 303);
  });

  it('C-15: makes no account under a reserved or impossible name', async () => {
    for (const name of ['local', 'anonymous', '', 'a b', '../x', 'x'.repeat(65), 7, null]) {
      claims = { preferred_username: name };
      await refuses(403, 'sign-in.provider.person');
    }
  });
});
