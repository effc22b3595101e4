import assert from 'node:assert/strict';
import { codeAt } from '../../src/auth/index.ts';
import { basic } from '../auth/fixtures.ts';
import { type ApiLab, openApiLab, PASSWORD } from './lab.ts';

describe('a second factor', () => {
  let lab: ApiLab;
  beforeEach(async () => {
    lab = await openApiLab();
    await lab.addUser('alice', ['developer', 'team/**']);
  });
  afterEach(() => lab.close());

  const call = (path: string, body: object, as = 'alice') =>
    lab.call('post', `/api/v1/second-factor/${path}`, { as, body });
  const codeOf = (seed: string) => codeAt(seed, Math.floor(lab.clock.nowMs() / 30_000));
  const signIn = (otp?: string, password = PASSWORD) =>
    lab.call('post', '/token', {
      ...{ as: '', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      body: new URLSearchParams({
        ...{ grant_type: 'password', access_type: 'offline', client_id: 'cli' },
        ...{ username: 'alice', password, scope: 'repository:team/app:pull' },
        ...(otp === undefined ? {} : { otp }),
      }).toString(),
    });
  const me = (as: string) => lab.call('get', '/api/v1/me', { as });

  /** Turned on; the clock is in a step whose code was not used yet. */
  async function turnOn() {
    const { body } = await call('enroll', { password: PASSWORD });
    const confirmed = await call('confirm', { password: PASSWORD, code: codeOf(body.seed) });
    assert.equal(confirmed.status, 200, confirmed.text);
    lab.clock.advance(60_000);
    const recoveryCodes: readonly string[] = confirmed.body.recoveryCodes;
    return { seed: String(body.seed), recoveryCodes };
  }

  it('is enrolled by a QR code and counts once a code confirms it', async () => {
    const { body } = await call('enroll', { password: PASSWORD });
    assert.match(body.uri, /^otpauth:\/\/totp\/dockgate:alice\?.*secret=/);
    assert.match(body.svg, /^<svg /);
    assert.equal((await me('alice')).status, 200, 'nothing has changed yet');
    const wrong = await call('confirm', { password: PASSWORD, code: '000000' });
    assert.deepEqual([wrong.status, wrong.body.error.code], [400, 'DG_INPUT_INVALID']);
    const right = await call('confirm', { password: PASSWORD, code: codeOf(body.seed) });
    assert.equal(right.body.recoveryCodes.length, 10);
    assert.equal((await me('alice')).status, 401, 'the password alone is not enough any more');
  });

  it('makes docker login refuse the password, with a sentence that names the way out', async () => {
    await turnOn();
    const { status, body } = await lab.call('get', '/token?offline_token=true', { as: 'alice' });
    assert.equal(status, 401);
    assert.match(body.errors[0].message, /with a second factor on, show a personal access token in place/);
    assert.equal(lab.lastEntry()?.reason, 'sign-in.second-factor');
  });

  it('C-02: is refused like a wrong password, word for word', async () => {
    await turnOn();
    const withoutCode = await signIn();
    const wrongPassword = await signIn(undefined, 'wrong-horse-battery-9');
    assert.deepEqual([withoutCode.status, withoutCode.body], [wrongPassword.status, wrongPassword.body]);
  });

  it('signs in with password and code, and the session then needs neither', async () => {
    const { seed } = await turnOn();
    const { status, body } = await signIn(codeOf(seed));
    assert.equal(status, 200);
    assert.equal((await me(`Bearer ${body.refresh_token}`)).status, 200);
    const made = await lab.call('post', '/api/v1/tokens', {
      ...{ as: `Bearer ${body.refresh_token}`, body: { name: 'docker' } },
    });
    const login = await lab.call('get', '/token', { as: basic('alice', made.body.secret) });
    assert.equal(login.status, 200);
  });

  it('C-05: takes a code once, also of several who show it at the same moment', async () => {
    const { seed } = await turnOn();
    const code = codeOf(seed);
    const answers = await Promise.all(Array.from({ length: 4 }, () => signIn(code)));
    // Those that wait for one and the same check share its answer; whoever comes after is refused.
    assert.equal(
      answers.some(({ status }) => status === 200),
      true,
    );
    assert.equal((await signIn(code)).status, 401);
    const last = codeAt(seed, Math.floor(lab.clock.nowMs() / 30_000) - 2);
    assert.equal((await signIn(last)).status, 401);
  });

  it('C-05: a code counts once in all processes: the store decides between two at once', async () => {
    await turnOn();
    const account = await lab.store.accounts.findAccountByName('user', 'alice');
    assert.ok(account);
    const step = Math.floor(lab.clock.nowMs() / 30_000);
    const used = await Promise.all([1, 2, 3].map(() => lab.store.accounts.useFactorStep(account.id, step)));
    assert.deepEqual(used.filter(Boolean).length, 1);
    assert.equal(await lab.store.accounts.useFactorStep(account.id, step - 1), false);
  });

  it('C-05: guesses are limited, and the right code waits like any other', async () => {
    const { seed } = await turnOn();
    let guesses = 0;
    while ((await signIn('000000')).status !== 429) guesses += 1;
    assert.ok(guesses < 20, `${guesses} guesses`);
    assert.equal((await signIn(codeOf(seed))).status, 429);
  });

  it('C-06: a recovery code stands in for a code once, and is kept as a hash', async () => {
    const { recoveryCodes } = await turnOn();
    const [first = '', second = ''] = recoveryCodes;
    assert.equal((await signIn(first)).status, 200);
    assert.equal((await signIn(first)).status, 401);
    assert.equal((await signIn(second.toUpperCase())).status, 200);
    assert.equal(JSON.stringify(lab.audit.entries).includes(first), false);
  });

  it('C-06: is neither enrolled nor taken away with a session alone', async () => {
    const session = `Bearer ${(await signIn()).body.refresh_token}`;
    const wrong = { password: 'wrong-horse-battery-9' };
    assert.equal((await call('enroll', wrong, session)).status, 403);
    const { seed } = await turnOn();
    const live = `Bearer ${(await signIn(codeOf(seed))).body.refresh_token}`;
    assert.equal((await call('disable', { password: PASSWORD, code: '000000' }, live)).status, 403);
    assert.equal(
      (await call('enroll', { password: PASSWORD }, live)).status,
      403,
      'the code is asked for too',
    );
    lab.clock.advance(60_000);
    const done = await call('disable', { password: PASSWORD, code: codeOf(seed) }, live);
    assert.equal(done.status, 200, done.text);
    assert.equal((await me('alice')).status, 200);
  });

  it('C-06: with a stolen session guesses at the password are limited', async () => {
    const session = `Bearer ${(await signIn()).body.refresh_token}`;
    let status = 403;
    for (let guess = 0; guess < 20 && status === 403; guess += 1) {
      status = (await call('enroll', { password: `wrong-${guess}` }, session)).status;
    }
    assert.equal(status, 429);
  });

  it('C-06: a personal access token in place of the password changes neither password nor factor', async () => {
    const { body } = await lab.call('post', '/api/v1/tokens', { as: 'alice', body: { name: 'leaked' } });
    const as = basic('alice', body.secret);
    const input = { oldPassword: body.secret, password: `${PASSWORD}-new` };
    for (const shown of [as, 'alice']) {
      const answer = await lab.call('put', '/api/v1/me/password', { as: shown, body: input });
      assert.equal(answer.status, 403, answer.text);
    }
    assert.equal((await call('enroll', { password: body.secret })).status, 403);
  });

  it('T-22: ends the sessions and tokens of before', async () => {
    const session = `Bearer ${(await signIn()).body.refresh_token}`;
    await turnOn();
    assert.equal((await me(session)).status, 401);
  });

  it('is taken away by an admin for who lost it, and recovery codes with it', async () => {
    const { recoveryCodes } = await turnOn();
    assert.equal((await lab.call('delete', '/api/v1/users/alice/second-factor')).status, 200);
    assert.equal((await me('alice')).status, 200);
    await turnOn();
    assert.equal((await signIn(recoveryCodes[0])).status, 401);
  });

  it('that a role asks for makes its grants count with it only; the way to it stays open', async () => {
    const asks = (isRequired: boolean) =>
      lab.call('put', '/api/v1/roles/developer/second-factor', { body: { isRequired } });
    assert.equal((await asks(true)).status, 200);
    const scopeOf = async (answer: Promise<{ body: { scope: string } }>) => (await answer).body.scope;
    assert.equal(await scopeOf(signIn()), '');
    const [warning] = (await me('alice')).body.warnings;
    assert.match(warning, /^role developer gives nothing until your second factor is on/);
    const { seed } = await turnOn();
    assert.equal(await scopeOf(signIn(codeOf(seed))), 'repository:team/app:pull');
    const roles = (await lab.call('get', '/api/v1/roles')).body.roles;
    const developer = roles.find((role: { name: string }) => role.name === 'developer');
    assert.equal(developer.needsSecondFactor, true);
  });

  it('W-07: asked for by the role admin locks nobody out: the admin enrols and goes on', async () => {
    const asked = await lab.call('put', '/api/v1/roles/admin/second-factor', { body: { isRequired: true } });
    assert.equal(asked.status, 200);
    assert.equal((await lab.call('get', '/api/v1/users')).status, 403);
    const { seed } = (await call('enroll', { password: PASSWORD }, 'admin')).body;
    assert.equal((await call('confirm', { password: PASSWORD, code: codeOf(seed) }, 'admin')).status, 200);
  });
});
