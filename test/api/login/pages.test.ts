import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readCookie } from '../../../src/api/login/cookies.ts';
import { html } from '../../../src/api/login/html.ts';
import { parseNext } from '../../../src/api/login/next.ts';
import { codeAt } from '../../../src/auth/index.ts';
import { HOUR_MS } from '../../../src/base/index.ts';
import { basic } from '../../auth/fixtures.ts';
import { createBrowser } from '../../support/browser.ts';
import { type ApiLab, openApiLab, PASSWORD } from '../lab.ts';

const SESSION = '__Host-dockgate-session';

describe('the sign-in page', () => {
  let lab: ApiLab;
  before(async () => {
    lab = await openApiLab();
    await lab.addUser('alice', ['reader', '**']);
  });
  after(() => lab.close());

  async function openPage() {
    const browser = createBrowser(lab.app);
    await browser.get('/login');
    return browser;
  }

  async function signIn() {
    const browser = await openPage();
    const shown = await browser.post('/login', { name: 'alice', password: PASSWORD });
    assert.equal(shown.status, 303, shown.text);
    return { browser, shown };
  }

  it('signs in by a local password, keeps the session in a cookie that nothing but TLS to this host carries', async () => {
    const { browser, shown } = await signIn();
    assert.equal(shown.location, '/login');
    for (const cookie of shown.cookies) {
      assert.match(cookie, /^__Host-/);
      for (const flag of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=Lax'])
        assert.ok(cookie.includes(flag), cookie);
    }
    assert.match((await browser.get('/login')).text, /Signed in as alice/);
    assert.deepEqual([lab.lastEntry()?.action, lab.lastEntry()?.principal?.via], ['sign-in', 'basic']);
  });

  it('W-02: allows no script, no frame, nothing from elsewhere, and no form to elsewhere', async () => {
    const { headers, text } = await (await openPage()).get('/login');
    const policy = headers['content-security-policy'] ?? '';
    for (const part of [
      "default-src 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ]) {
      assert.ok(policy.includes(part), policy);
    }
    assert.doesNotMatch(policy, /unsafe|script-src/);
    assert.doesNotMatch(text, /<script|\son\w+=|style="/);
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'same-origin');
  });

  it('W-02: shows text as text, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.doesNotMatch(html`${text}`.text, /[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/);
      }),
    );
  });

  it('W-01: takes a form only with the token of its own page', async () => {
    const fields = { name: 'alice', password: PASSWORD };
    for (const form of ['', 'x'.repeat(43), (await openPage()).jar.get('__Host-dockgate-form') ?? '']) {
      const browser = await openPage();
      const shown = await browser.post('/login', { ...fields, form });
      assert.equal(shown.status, 403);
      assert.equal(browser.jar.has(SESSION), false);
      assert.equal(lab.lastEntry()?.reason, 'form.foreign');
    }
    const without = await createBrowser(lab.app).post('/login', { ...fields, form: 'x'.repeat(43) });
    assert.equal(without.status, 403);
    const origin = { origin: 'https://evil.example' };
    assert.equal((await (await openPage()).post('/login', fields, origin)).status, 403);
  });

  it('C-02: says the same for every wrong pair, and shows no Basic dialog', async () => {
    const texts = new Set<string>();
    for (const name of ['alice', 'nobody', 'not a name']) {
      const browser = await openPage();
      const shown = await browser.post('/login', { name, password: 'wrong-horse-battery-1' });
      assert.equal(shown.status, 401);
      assert.equal(shown.headers['www-authenticate'], undefined);
      texts.add(shown.text.replace(/value="[\w-]{43}"/, ''));
    }
    assert.equal(texts.size, 1);
  });

  it('C-10: takes neither the secret of a robot nor a personal token', async () => {
    const robot = await lab.addRobot('ci');
    const { body } = await lab.call('post', '/api/v1/tokens', { as: 'alice', body: { name: 'laptop' } });
    for (const [name, password] of [
      ['ci', robot],
      ['alice', body.secret],
    ]) {
      const browser = await openPage();
      const shown = await browser.post('/login', { name: name ?? '', password: password ?? '' });
      assert.deepEqual([shown.status, lab.lastEntry()?.reason], [401, 'sign-in.kind']);
      assert.equal(browser.jar.has(SESSION), false);
    }
  });

  it('C-05: asks for the code where a second factor is on, and takes each once', async () => {
    await lab.addUser('erin');
    const enroll = await lab.call('post', '/api/v1/second-factor/enroll', {
      as: 'erin',
      body: { password: PASSWORD },
    });
    const code = () => codeAt(enroll.body.seed, Math.floor(lab.clock.nowMs() / 30_000));
    const confirm = { password: PASSWORD, code: code() };
    assert.equal(
      (await lab.call('post', '/api/v1/second-factor/confirm', { as: 'erin', body: confirm })).status,
      200,
    );
    lab.clock.advance(60_000);
    const fields = { name: 'erin', password: PASSWORD };
    const statuses: number[] = [];
    for (const more of [{}, { code: code() }, { code: code() }]) {
      statuses.push((await (await openPage()).post('/login', { ...fields, ...more })).status);
    }
    assert.deepEqual(statuses, [401, 303, 401]);
  });

  it('ends a session after eight hours, with the account, and when another sign-in replaces it', async () => {
    const { browser } = await signIn();
    const first = browser.jar.get(SESSION) ?? '';
    assert.equal((await browser.post('/login', { name: 'alice', password: PASSWORD })).status, 303);
    const second = browser.jar.get(SESSION) ?? '';
    assert.notEqual(first, second);
    browser.jar.set(SESSION, first);
    assert.doesNotMatch((await browser.get('/login')).text, /Signed in as/);
    browser.jar.set(SESSION, second);
    lab.clock.advance(8 * HOUR_MS - 1);
    assert.match((await browser.get('/login')).text, /Signed in as/);
    lab.clock.advance(1);
    assert.doesNotMatch((await browser.get('/login')).text, /Signed in as/);
    const again = await signIn();
    await lab.call('post', '/api/v1/users/alice/revoke');
    assert.doesNotMatch((await again.browser.get('/login')).text, /Signed in as/);
    lab.clock.advance(1);
  });

  it('T-13, T-38: its session is no token for anything else, in no header and in no cookie', async () => {
    const { browser } = await signIn();
    const value = browser.jar.get(SESSION) ?? '';
    const cookie = `${SESSION}=${value}`;
    for (const headers of [
      { authorization: `Bearer ${value}` },
      { cookie },
      { authorization: basic('alice', value) },
    ]) {
      assert.equal((await lab.call('get', '/api/v1/me', { as: '', headers })).status, 401);
    }
    const fields = { grant_type: 'refresh_token', refresh_token: value, service: 'dockgate' };
    const answer = await browser.post('/token', fields);
    assert.equal(answer.status, 401);
    const refresh = await lab.call('get', '/token?offline_token=true', { as: 'alice' });
    browser.jar.set(SESSION, refresh.body.refresh_token);
    assert.doesNotMatch((await browser.get('/login')).text, /Signed in as/);
  });

  it('signs out: the session is over, in the browser and here', async () => {
    const { browser } = await signIn();
    const value = browser.jar.get(SESSION) ?? '';
    assert.equal((await browser.post('/logout', { form: 'x'.repeat(43) })).status, 403);
    assert.match((await browser.post('/logout', {})).text, /Signed out/);
    assert.equal(browser.jar.has(SESSION), false);
    browser.jar.set(SESSION, value);
    assert.doesNotMatch((await browser.get('/login')).text, /Signed in as/);
  });

  it('answers 503 and signs nobody in when no record can be written', async () => {
    lab.audit.state.isWritable = false;
    const browser = await openPage();
    const shown = await browser.post('/login', { name: 'alice', password: PASSWORD });
    lab.audit.state.isWritable = true;
    assert.equal(shown.status, 503);
    assert.equal(browser.jar.has(SESSION), false);
  });

  it('C-14: builds addresses from its configuration, whatever host the request names', async () => {
    const { browser } = await signIn();
    const { text } = await browser.get('/login', {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
    });
    assert.ok(text.includes('docker login -u alice reg.example:8443'));
    assert.doesNotMatch(text, /evil/);
  });

  it('goes on to pages of its own alone', () => {
    const known = ['/login/device', '/login/program?state=a&redirect_uri=http://127.0.0.1:1/signed-in'];
    for (const next of known) assert.equal(parseNext(next), next);
    const foreign = [
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      '/login/device/..//evil.example',
    ];
    for (const next of [
      ...foreign,
      '/logout',
      '/api/v1/me',
      'javascript:alert(1)',
      '/login/device\n',
      '',
      undefined,
    ]) {
      assert.equal(parseNext(next), '/login');
    }
  });

  it('reads no cookie that is there twice', () => {
    assert.equal(readCookie(`a=1; ${SESSION}=x`, SESSION), 'x');
    assert.equal(readCookie(`${SESSION}=x; ${SESSION}=y`, SESSION), undefined);
  });
});
