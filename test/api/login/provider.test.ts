import assert from 'node:assert/strict';
import { openProviders } from '../../../src/app/open-providers.ts';
import { createManualClock, HOUR_MS, systemRandom } from '../../../src/base/index.ts';
import { basic } from '../../auth/fixtures.ts';
import { createBrowser, passProvider } from '../../support/browser.ts';
import { newKey, type OpenIdServer, providerConfig, startOpenIdServer } from '../../support/openid.ts';
import { type ApiLab, openApiLab } from '../lab.ts';

const PUBLIC = 'https://reg.example:8443';
const CALLBACK = `${PUBLIC}/login/oidc/corp/callback`;

describe('a person of an OpenID provider', () => {
  let server: OpenIdServer;
  let lab: ApiLab;
  let firstPerson: OpenIdServer['state']['person'];
  before(async () => {
    server = await startOpenIdServer(CALLBACK, `${PUBLIC}/login`);
    firstPerson = server.state.person;
  });
  after(() => server.close());
  beforeEach(async () => {
    server.state.person = firstPerson;
    server.state.isDenied = false;
    const parts = { clock: createManualClock(), random: systemRandom };
    lab = await openApiLab(undefined, {
      providers: openProviders({ providers: [providerConfig(server)] }, parts),
    });
    await lab.call('post', '/api/v1/groups', { body: { name: 'crew' } });
    await lab.grant({ kind: 'group', name: 'crew' }, [['developer', 'team/**']]);
  });
  afterEach(() => lab.close());

  /** To the provider and back, with the query that it gave; nothing of it shown to us yet. */
  async function away(browser = createBrowser(lab.app)) {
    const start = await browser.get('/login/oidc/corp?next=/login/device');
    assert.equal(start.status, 303, start.text);
    const back = await passProvider(start.location ?? '', server);
    return { browser, start: new URL(start.location ?? ''), back };
  }

  async function signIn() {
    const { browser, back } = await away();
    return { browser, back, shown: await browser.get(back.pathname + back.search) };
  }

  const carol = () => lab.store.accounts.findAccountByName('user', 'carol');
  const groups = async () => (await lab.call('get', '/api/v1/groups')).body.groups[0].members;

  it('gets an account, its groups and a session, and goes on to the page that was asked for', async () => {
    const { browser, shown } = await signIn();
    assert.deepEqual([shown.status, shown.location], [303, '/login/device'], shown.text);
    assert.deepEqual(await groups(), ['carol']);
    assert.equal((await carol())?.secretHash, `external:oidc:${server.url}`);
    assert.match((await browser.get('/login')).text, /Signed in as carol/);
    const entry = lab.audit.entries.find(
      ({ action, outcome }) => action === 'sign-in' && outcome === 'allowed',
    );
    assert.deepEqual([entry?.principal?.name, entry?.principal?.via], ['carol', 'oidc']);
  });

  it('is sent there with PKCE, a state and a nonce that never come twice, and no secret', async () => {
    const [one, two] = [await away(), await away()];
    for (const { start } of [one, two]) {
      assert.equal(start.searchParams.get('code_challenge_method'), 'S256');
      assert.equal(start.searchParams.get('redirect_uri'), CALLBACK);
      assert.equal(start.searchParams.get('client_secret'), null);
    }
    for (const name of ['state', 'nonce', 'code_challenge']) {
      assert.match(one.start.searchParams.get(name) ?? '', /^[\w-]{43}$/);
      assert.notEqual(one.start.searchParams.get(name), two.start.searchParams.get(name));
    }
  });

  it('C-14: begins at the configured address, whatever host it came by, and never is sent around for ever', async () => {
    const browser = createBrowser(lab.app);
    const host = { host: 'other.example' };
    const first = await browser.get('/login/oidc/corp?next=/login/device', host);
    assert.equal(first.location, `${PUBLIC}/login/oidc/corp?next=%2Flogin%2Fdevice&here=`);
    const { pathname, search } = new URL(first.location ?? '');
    const second = await browser.get(pathname + search, host);
    const begun = new URL(second.location ?? '');
    assert.deepEqual([begun.origin, begun.searchParams.get('redirect_uri')], [server.url, CALLBACK]);
    assert.equal((await browser.get('/login/oidc/other')).status, 404);
  });

  it('T-23: loses a group with the next sign-in that does not say it', async () => {
    await signIn();
    server.state.person = { ...firstPerson, claims: { preferred_username: 'carol' } };
    await signIn();
    assert.deepEqual(await groups(), []);
  });

  it('T-23: loses sessions when the last sign-in there is as old as is allowed', async () => {
    const { browser } = await signIn();
    lab.clock.advance(24 * HOUR_MS);
    assert.match((await browser.get('/login')).text, /<form method="post" action="\/login">/);
  });

  it('stays the same account when the provider calls it another name', async () => {
    await signIn();
    server.state.person = { ...firstPerson, claims: { preferred_username: 'caroline' } };
    const { browser } = await signIn();
    assert.match((await browser.get('/login')).text, /Signed in as carol/);
    assert.equal(await lab.store.accounts.findAccountByName('user', 'caroline'), undefined);
  });

  it('C-15: never gets an account that somebody of that name has, here or there', async () => {
    await lab.addUser('carol', ['admin', '**']);
    const { shown } = await signIn();
    assert.equal(shown.status, 401);
    assert.match(shown.text, /somebody else has your name here/);
    assert.equal(lab.lastEntry()?.reason, 'sign-in.name-taken');
  });

  it('is refused while disabled here', async () => {
    await signIn();
    await lab.call('post', '/api/v1/users/carol/disable');
    const { shown } = await signIn();
    assert.equal(shown.status, 401);
    assert.match(shown.text, /your account here is disabled/);
  });

  it('T-22: is out with the next request when disabled', async () => {
    const { browser } = await signIn();
    await lab.call('post', '/api/v1/users/carol/disable');
    assert.doesNotMatch((await browser.get('/login')).text, /Signed in as/);
  });

  it('cannot show a callback twice, nor in another browser', async () => {
    const { browser, back, shown } = await signIn();
    assert.equal(shown.status, 303);
    const again = await browser.get(back.pathname + back.search);
    assert.equal(again.status, 400);
    assert.match(again.text, /did not begin in this browser/);
    const fresh = await away();
    const other = await createBrowser(lab.app).get(fresh.back.pathname + fresh.back.search);
    assert.deepEqual([other.status, lab.lastEntry()?.reason], [400, 'sign-in.flow']);
  });

  it('cannot spend a code twice, even with everything that the browser kept', async () => {
    const { browser, back } = await away();
    const flow = browser.jar.get('__Host-dockgate-flow') ?? '';
    assert.equal((await browser.get(back.pathname + back.search)).status, 303);
    browser.jar.set('__Host-dockgate-flow', flow);
    const again = await browser.get(back.pathname + back.search);
    assert.deepEqual([again.status, lab.lastEntry()?.reason], [403, 'sign-in.provider.answer']);
  });

  it('is refused with the code of another browser, the state of another sign-in, or an old one', async () => {
    const [mine, foreign] = [await away(), await away()];
    const code = foreign.back.searchParams.get('code') ?? '';
    const mixed = new URL(mine.back);
    mixed.searchParams.set('code', code);
    assert.equal((await mine.browser.get(mixed.pathname + mixed.search)).status, 403, 'PKCE');
    const stated = await away();
    const state = new URL(stated.back);
    state.searchParams.set('state', mine.back.searchParams.get('state') ?? '');
    assert.equal((await stated.browser.get(state.pathname + state.search)).status, 403, 'state');
    const old = await away();
    lab.clock.advance(HOUR_MS);
    assert.equal((await old.browser.get(old.back.pathname + old.back.search)).status, 400, 'too old');
  });

  it('is refused where the answer names another issuer, or is said twice', async () => {
    for (const [name, value] of [
      ['iss', 'https://evil.example'],
      ['code', 'another'],
    ] as const) {
      const { browser, back } = await away();
      const search = name === 'iss' ? new URLSearchParams(back.searchParams) : back.searchParams;
      if (name === 'iss') search.set(name, value);
      else search.append(name, value);
      const shown = await browser.get(`${back.pathname}?${search}`);
      assert.deepEqual([name, shown.status], [name, 403]);
      assert.equal(browser.jar.has('__Host-dockgate-session'), false);
    }
  });

  it('is told when the provider lets nobody in', async () => {
    server.state.isDenied = true;
    const { shown } = await signIn();
    assert.equal(shown.status, 403);
    assert.match(shown.text, /the provider answered access_denied/);
    assert.equal(lab.lastEntry()?.reason, 'sign-in.provider.refused');
  });

  it('signs in when the provider has changed its key since the sign-in before', async () => {
    assert.equal((await signIn()).shown.status, 303);
    server.serve([await newKey('k2')]);
    assert.equal((await signIn()).shown.status, 303);
    server.serve([server.firstKey]);
  });

  it('signs out: the session ends here, and there by a link', async () => {
    const { browser } = await signIn();
    const session = browser.jar.get('__Host-dockgate-session') ?? '';
    await browser.get('/login');
    const shown = await browser.post('/logout', {});
    assert.equal(shown.status, 200);
    const link = /href="(https:[^"]+)"/.exec(shown.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    assert.equal(new URL(link).origin, server.url);
    assert.equal(new URL(link).searchParams.get('post_logout_redirect_uri'), `${PUBLIC}/login`);
    assert.equal(browser.jar.has('__Host-dockgate-session'), false);
    browser.jar.set('__Host-dockgate-session', session);
    assert.doesNotMatch((await browser.get('/login')).text, /Signed in as/);
  });

  it('uses docker with a personal access token, which ends with the account and not with the browser', async () => {
    const { browser } = await signIn();
    const begun = JSON.parse((await browser.post('/token/device', {})).text);
    await browser.post('/login/device', { code: begun.user_code, decision: 'approve' });
    const answer = await browser.post('/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      access_type: 'offline',
      device_code: begun.device_code,
    });
    const session = `Bearer ${JSON.parse(answer.text).refresh_token}`;
    const made = await lab.call('post', '/api/v1/tokens', { as: session, body: { name: 'docker' } });
    const scope = async () => {
      const as = basic('carol', made.body.secret);
      const { status, body } = await lab.call('get', '/token?scope=repository:team/app:pull', { as });
      return [status, body.scope];
    };
    assert.deepEqual(await scope(), [200, 'repository:team/app:pull']);
    await browser.post('/logout', {});
    assert.deepEqual(await scope(), [200, 'repository:team/app:pull']);
    server.state.person = { ...firstPerson, claims: { preferred_username: 'carol' } };
    await signIn();
    assert.deepEqual(await scope(), [200, ''], 'T-23: with the group goes the right of the token');
    await lab.call('post', '/api/v1/users/carol/disable');
    assert.equal((await scope())[0], 401);
  });

  it('has no password here, and no password of anybody is one', async () => {
    await signIn();
    const browser = createBrowser(lab.app);
    await browser.get('/login');
    const fields = { name: 'carol', password: `external:oidc:${server.url}` };
    assert.equal((await browser.post('/login', fields)).status, 401);
  });
});
