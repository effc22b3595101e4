import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { MINUTE_MS } from '../../../src/base/index.ts';
import { createBrowser } from '../../support/browser.ts';
import { type ApiLab, openApiLab, PASSWORD } from '../lab.ts';

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const VERIFIER = 'v'.repeat(43);
const REDIRECT = 'http://127.0.0.1:43210/signed-in';

describe('a program that a person signs in with a browser', () => {
  let lab: ApiLab;
  beforeEach(async () => {
    lab = await openApiLab();
    await lab.addUser('alice', ['reader', '**']);
  });
  afterEach(() => lab.close());

  const token = (fields: Record<string, string>) =>
    createBrowser(lab.app).post('/token', { access_type: 'offline', ...fields });

  async function signedIn(name = 'alice') {
    const browser = createBrowser(lab.app);
    await browser.get('/login');
    assert.equal((await browser.post('/login', { name, password: PASSWORD })).status, 303);
    return browser;
  }

  describe('by a code that is typed', () => {
    async function begin() {
      const { status, text } = await createBrowser(lab.app).post('/token/device', {});
      assert.equal(status, 200, text);
      return JSON.parse(text);
    }

    const poll = async (secret: string, more: Record<string, string> = {}) => {
      const { status, text } = await token({ grant_type: DEVICE, device_code: secret, ...more });
      return { status, body: JSON.parse(text) };
    };

    it('waits, is shown to the person, and gets its tokens once it is confirmed', async () => {
      const begun = await begin();
      assert.equal(begun.verification_uri, 'https://reg.example:8443/login/device');
      assert.match(begun.user_code, /^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/);
      assert.deepEqual((await poll(begun.device_code)).body.error, 'authorization_pending');
      const browser = await signedIn();
      const typed = await browser.post('/login/device', {
        code: begun.user_code.toLowerCase().replace('-', ''),
      });
      assert.match(typed.text, /act as <strong>alice<\/strong>, with all that you may do/);
      assert.match(typed.text, /asked from<\/dt><dd>127\.0\.0\.1/);
      assert.equal(
        (await poll(begun.device_code)).body.error,
        'authorization_pending',
        'shown is not confirmed',
      );
      const done = await browser.post('/login/device', { code: begun.user_code, decision: 'approve' });
      assert.match(done.text, /The command is signed in/);
      const { status, body } = await poll(begun.device_code);
      assert.equal(status, 200);
      const me = await lab.call('get', '/api/v1/me', { as: `Bearer ${body.refresh_token}` });
      assert.equal(me.body.name, 'alice');
      assert.deepEqual((await poll(begun.device_code)).body.error, 'expired_token', 'only once');
      const entry = lab.audit.entries.find(({ action, note }) => action === 'sign-in.device' && note);
      assert.deepEqual([entry?.outcome, entry?.principal?.name], ['allowed', 'alice']);
    });

    it('gets nothing when the person says no, nor after ten minutes', async () => {
      const [denied, late] = [await begin(), await begin()];
      const browser = await signedIn();
      await browser.post('/login/device', { code: denied.user_code, decision: 'deny' });
      const { status, body } = await poll(denied.device_code);
      assert.deepEqual([status, body.error], [400, 'access_denied']);
      lab.clock.advance(10 * MINUTE_MS);
      const shown = await browser.post('/login/device', { code: late.user_code, decision: 'approve' });
      assert.equal(shown.status, 404);
      assert.equal((await poll(late.device_code)).body.error, 'expired_token');
    });

    it('gets nothing for a secret that nobody was given, or with what belongs to another way', async () => {
      const begun = await begin();
      const browser = await signedIn();
      await browser.post('/login/device', { code: begun.user_code, decision: 'approve' });
      assert.equal((await poll('x'.repeat(43))).status, 400);
      assert.equal((await poll(begun.user_code)).status, 400);
      assert.equal((await token({ grant_type: 'authorization_code', code: 'x' })).status, 400);
      assert.equal((await poll(begun.device_code, { code_verifier: VERIFIER })).status, 400);
    });

    it('T-22: gets nothing when the account was disabled or revoked after it was confirmed', async () => {
      for (const verb of ['revoke', 'disable']) {
        const begun = await begin();
        const browser = await signedIn();
        await browser.post('/login/device', { code: begun.user_code, decision: 'approve' });
        await lab.call('post', `/api/v1/users/alice/${verb}`);
        assert.equal((await poll(begun.device_code)).status, 400);
        lab.clock.advance(1);
      }
    });

    it('is confirmed by whoever is signed in alone, by a form of our page', async () => {
      const begun = await begin();
      const fields = { code: begun.user_code, decision: 'approve' };
      const nobody = createBrowser(lab.app);
      assert.match((await nobody.get('/login/device')).location ?? '', /^\/login\?next=%2Flogin%2Fdevice$/);
      assert.equal((await nobody.post('/login/device', fields)).status, 303);
      const browser = await signedIn();
      assert.equal((await browser.post('/login/device', { ...fields, form: 'x'.repeat(43) })).status, 403);
      assert.equal((await poll(begun.device_code)).body.error, 'authorization_pending');
    });

    it('C-01: is not found by guessing', async () => {
      const browser = await signedIn();
      const statuses = new Set<number>();
      for (let guess = 0; guess < 20; guess += 1) {
        statuses.add(
          (await browser.post('/login/device', { code: `BBBB-BBB${'BCDFGHJKLM'[guess % 10]}` })).status,
        );
      }
      assert.deepEqual([...statuses].sort(), [404, 429]);
    });

    it('C-16: cannot fill the table', async () => {
      const browser = createBrowser(lab.app);
      for (let count = 0; count < 20; count += 1) await begin();
      const { status, headers } = await browser.post('/token/device', {});
      assert.deepEqual([status, headers['retry-after']], [429, '60']);
      lab.clock.advance(10 * MINUTE_MS);
      await begin();
    });
  });

  describe('by the browser of the same computer', () => {
    const query = (more: Record<string, string> = {}) =>
      `${new URLSearchParams({
        redirect_uri: REDIRECT,
        state: 's'.repeat(43),
        code_challenge: hash('sha256', VERIFIER, 'base64url'),
        code_challenge_method: 'S256',
        ...more,
      })}`;

    async function approve(browser: Awaited<ReturnType<typeof signedIn>>) {
      const shown = await browser.post('/login/program', { query: query(), decision: 'approve' });
      assert.equal(shown.status, 303, shown.text);
      return new URL(shown.location ?? '');
    }

    const redeem = (code: string, verifier = VERIFIER) =>
      token({ grant_type: 'authorization_code', code, code_verifier: verifier });

    it('asks the person after the sign-in, and sends the code to the program alone', async () => {
      const browser = createBrowser(lab.app);
      const first = await browser.get(`/login/program?${query()}`);
      assert.equal(first.status, 303);
      const form = await browser.get(first.location ?? '');
      const next = /name="next" value="([^"]+)"/.exec(form.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
      const went = await browser.post('/login', { name: 'alice', password: PASSWORD, next });
      assert.equal(went.location, `/login/program?${query()}`);
      const page = await browser.get(went.location ?? '');
      assert.match(page.text, /act as <strong>alice<\/strong>/);
      assert.ok(
        page.headers['content-security-policy']?.includes("form-action 'self' http://127.0.0.1:43210;"),
      );
      const back = await approve(browser);
      assert.equal(back.origin + back.pathname, REDIRECT);
      assert.deepEqual(
        [back.searchParams.get('state'), back.searchParams.get('iss')],
        ['s'.repeat(43), 'https://reg.example:8443'],
      );
      const code = back.searchParams.get('code') ?? '';
      const answer = await redeem(code);
      assert.equal(answer.status, 200, answer.text);
      const { refresh_token: refreshToken } = JSON.parse(answer.text);
      const as = `Bearer ${refreshToken}`;
      assert.equal((await lab.call('get', '/api/v1/me', { as })).body.name, 'alice');
      assert.equal((await lab.call('post', '/api/v1/tokens', { as, body: { name: 'laptop' } })).status, 201);
      assert.equal((await redeem(code)).status, 400, 'only once');
    });

    it('gives no code that works without the verifier, and none that failed once', async () => {
      const browser = await signedIn();
      for (const verifier of ['w'.repeat(43), '']) {
        const code = (await approve(browser)).searchParams.get('code') ?? '';
        assert.equal((await redeem(code, verifier)).status, 400);
        assert.equal((await redeem(code)).status, 400);
      }
      const code = (await approve(browser)).searchParams.get('code') ?? '';
      assert.equal((await token({ grant_type: 'authorization_code', code })).status, 400);
      const late = (await approve(browser)).searchParams.get('code') ?? '';
      lab.clock.advance(MINUTE_MS);
      assert.equal((await redeem(late)).status, 400);
    });

    it('sends nobody anywhere else, with any tampered address', async () => {
      const browser = await signedIn();
      const wrong = [
        ...[
          'https://evil.example',
          'http://127.0.0.1.evil.example/signed-in',
          'http://localhost:1/signed-in',
        ],
        ...['http://127.0.0.1:1/other', 'http://127.0.0.1/signed-in', `${REDIRECT}?x`, `${REDIRECT}#x`, ''],
        ...[
          'http://user@127.0.0.1:1/signed-in',
          'http://127.0.0.1:1@evil.example/signed-in',
          'javascript:alert(1)',
        ],
        `${REDIRECT}\n`,
      ].map((redirect_uri) => ({ redirect_uri }));
      const plain = [
        { code_challenge_method: 'plain' },
        { code_challenge: '' },
        { state: 'short' },
        { state: '<x>' },
      ];
      for (const more of [...wrong, ...plain]) {
        const asked = query(more as unknown as Record<string, string>);
        const page = await browser.get(`/login/program?${asked}`);
        const shown = await browser.post('/login/program', { query: asked, decision: 'approve' });
        assert.deepEqual(
          [page.status, shown.status, shown.location],
          [400, 400, undefined],
          JSON.stringify(more),
        );
      }
    });

    it('signs nothing in by a page alone, by no, or by a form of another page', async () => {
      const browser = await signedIn();
      await browser.get(`/login/program?${query()}`);
      const no = await browser.post('/login/program', { query: query(), decision: 'deny' });
      assert.deepEqual([no.status, no.location], [200, undefined]);
      const foreign = { query: query(), decision: 'approve', form: 'x'.repeat(43) };
      assert.equal((await browser.post('/login/program', foreign)).status, 403);
      const nobody = createBrowser(lab.app);
      await nobody.get('/login');
      const shown = await nobody.post('/login/program', { query: query(), decision: 'approve' });
      assert.match(shown.location ?? '', /^\/login\?/);
    });
  });
});
