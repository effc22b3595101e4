import assert from 'node:assert/strict';
import {
  type Authentication,
  expiryWarning,
  hashSecret,
  isPersonalSecret,
  newPersonalSecret,
  type PersonalToken,
} from '../../src/auth/index.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, newId, systemRandom } from '../../src/base/index.ts';
import { parseRepository } from '../../src/oci/index.ts';
import type { Grant } from '../../src/roles/index.ts';
import { until } from '../support/until.ts';
import { basic, createHouse } from './fixtures.ts';

const HOME = '192.0.2.1';
const AWAY = '198.51.100.7';

function repository(name: string) {
  const parsed = parseRepository(name);
  assert.ok(parsed);
  return parsed;
}

function identityOf(result: Authentication) {
  assert.ok(result.ok, `not proved: ${result.ok ? '' : result.reason}`);
  return result.identity;
}

async function openHouse(overrides: Partial<PersonalToken> = {}) {
  const house = await createHouse();
  const { accounts, ann, clock, authenticator } = house;
  const secret = newPersonalSecret(systemRandom);
  const token: PersonalToken = {
    id: newId(systemRandom),
    accountId: ann.id,
    name: 'laptop',
    secretHash: hashSecret(secret),
    allows: [{ actions: ['pull', 'list'], pattern: 'team/**' }],
    createdAtMs: clock.nowMs(),
    expiresAtMs: clock.nowMs() + 10 * DAY_MS,
    ...overrides,
  };
  accounts.addPersonalToken(token);
  const grant = (actions: Grant['actions'], pattern: string, effect: Grant['effect'] = 'allow'): Grant => ({
    ...{ id: newId(systemRandom), role: 'r', actions, pattern, effect },
    subject: { kind: 'user', id: ann.id, name: 'ann' },
  });
  accounts.grant(ann.id, grant(['pull', 'list', 'push', 'delete'], '**'));
  const show = (name: string, shown: string, source = HOME) =>
    authenticator.authenticate({ authorization: basic(name, shown), source });
  return { ...house, secret, token, grant, show, signIn: () => show('ann', secret) };
}

describe('a personal access token', () => {
  it('proves its owner, says so, and is no slow hash', async () => {
    const { signIn, ann, token, verifications } = await openHouse();
    const { principal, via, tokenId, personalTokenId, warning } = identityOf(await signIn());
    assert.deepEqual([principal.id, via, tokenId], [ann.id, 'personal-token', token.id]);
    assert.equal(personalTokenId, token.id);
    assert.equal(warning, undefined);
    assert.deepEqual(verifications, []);
  });

  it('C-09 has a prefix and a checksum by which a leak is found, and a typing error needs no look-up', () => {
    const secret = newPersonalSecret(systemRandom);
    assert.match(secret, /^dgp_[0-9A-Za-z]{49}$/);
    assert.equal(isPersonalSecret(secret), true);
    const last = secret.at(-1) === 'a' ? 'b' : 'a';
    assert.equal(isPersonalSecret(secret.slice(0, -1) + last), false);
    assert.equal(isPersonalSecret(secret.replace('dgp_', 'dgr_')), false);
  });

  for (const [what, name, shown] of [
    ['beside the name of somebody else', 'bob', 'own'],
    ['beside the name of a robot', 'ci', 'own'],
    ['that was never made', 'ann', 'other'],
  ] as const) {
    it(`C-10 is refused ${what}, like any wrong password, and counted`, async () => {
      const { show, secret, failures } = await openHouse();
      const result = await show(name, shown === 'own' ? secret : newPersonalSecret(systemRandom));
      assert.ok(!result.ok);
      assert.equal(result.reason, 'sign-in.secret');
      assert.equal(result.refusal.status, 401);
      assert.deepEqual(failures, [`${name} ${HOME}`]);
    });
  }

  it('C-01 is let in while its source is limited, and wrong ones are limited', async () => {
    const { show, signIn } = await openHouse();
    for (let n = 0; n < 30; n++) await show('ann', newPersonalSecret(systemRandom));
    const limited = await show('ann', newPersonalSecret(systemRandom));
    assert.ok(!limited.ok);
    assert.equal(limited.refusal.status, 429);
    identityOf(await signIn());
  });

  it('does only what both it and the grants of its owner hold', async () => {
    const { signIn, directory, accounts, ann, grant } = await openHouse();
    const identity = identityOf(await signIn());
    const may = async (action: 'pull' | 'push' | 'list' | 'delete', name: string) =>
      (await directory.can(identity, action, repository(name))).isAllowed;
    assert.equal(await may('pull', 'team/app'), true);
    assert.equal(await may('push', 'team/app'), false, 'the owner may, the token may not');
    assert.equal(await may('pull', 'other/app'), false);
    assert.equal((await directory.visibleTo(identity))(repository('team/app')), true);
    assert.equal((await directory.visibleTo(identity))(repository('other/app')), false);
    accounts.grant(ann.id, grant(['pull'], 'team/**'), grant(['pull'], 'team/secret', 'deny'));
    assert.equal(await may('pull', 'team/app'), true);
    assert.equal(await may('list', 'team/app'), false, 'the token may, the owner may not any more');
    assert.equal(await may('pull', 'team/secret'), false, 'a deny wins');
    accounts.grant(ann.id);
    assert.equal(await may('pull', 'team/app'), false);
  });

  it('gives an access token of the intersection, which stays one when the grants grow', async () => {
    const { signIn, directory, tokens, authenticator } = await openHouse();
    const identity = identityOf(await signIn());
    const scopes = await directory.scopesFor(identity, [
      { type: 'repository', name: 'team/app', actions: ['pull', 'push'] },
      { type: 'repository', name: 'other/app', actions: ['pull'] },
      { type: 'registry', name: 'catalog', actions: ['*'] },
    ]);
    assert.deepEqual(scopes, [
      { type: 'repository', name: 'team/app', actions: ['pull'] },
      { type: 'registry', name: 'catalog', actions: ['*'] },
    ]);
    const forged = [{ type: 'repository', name: 'team/app', actions: ['pull', 'push'] }];
    const issued = await tokens.issue({ ...identity, scopes: forged });
    const bearer = identityOf(
      await authenticator.authenticate({ authorization: `Bearer ${issued.token}`, source: HOME }),
    );
    assert.equal((await directory.can(bearer, 'pull', repository('team/app'))).isAllowed, true);
    assert.equal((await directory.can(bearer, 'push', repository('team/app'))).isAllowed, false);
  });

  it('holds a system action on ** only when it was named', async () => {
    const { signIn, directory, accounts, ann, grant, token } = await openHouse({
      allows: [
        { actions: ['pull', 'users.manage'], pattern: 'team/**' },
        { actions: ['audit.read'], pattern: '**' },
      ],
    });
    accounts.grant(ann.id, grant(['audit.read', 'users.manage', 'pull'], '**'));
    const identity = identityOf(await signIn());
    assert.equal(identity.personalTokenId, token.id);
    assert.equal((await directory.can(identity, 'audit.read', undefined)).isAllowed, true);
    assert.equal((await directory.can(identity, 'users.manage', undefined)).isAllowed, false);
  });

  it('T-22 is over, with every access token got by it, when it is revoked', async () => {
    const { signIn, tokens, authenticator, accounts, token, ann, directory } = await openHouse();
    const identity = identityOf(await signIn());
    const issued = await tokens.issue({ ...identity, scopes: [] });
    const bearer = () =>
      authenticator.authenticate({ authorization: `Bearer ${issued.token}`, source: HOME });
    assert.ok((await bearer()).ok);
    accounts.personalTokens.delete(token.id);
    accounts.change(ann.id, {});
    const refused = await bearer();
    assert.ok(!refused.ok);
    assert.equal(refused.reason, 'token.revoked');
    assert.ok(!(await signIn()).ok);
    assert.equal((await directory.can(identity, 'pull', repository('team/app'))).isAllowed, false);
    assert.deepEqual(
      await directory.scopesFor(identity, [{ type: 'repository', name: 'team/app', actions: ['pull'] }]),
      [],
    );
  });

  it('C-10 is over at its end, with every access token got by it', async () => {
    const { signIn, tokens, authenticator, clock } = await openHouse();
    clock.advance(10 * DAY_MS - MINUTE_MS);
    const identity = identityOf(await signIn());
    assert.equal(identity.warning, 'token laptop ends in a moment');
    const issued = await tokens.issue({ ...identity, scopes: [] });
    clock.advance(MINUTE_MS - 1);
    assert.ok((await signIn()).ok);
    clock.advance(1);
    const refused = await signIn();
    assert.ok(!refused.ok);
    assert.equal(refused.reason, 'sign-in.inactive');
    const bearer = await authenticator.authenticate({
      authorization: `Bearer ${issued.token}`,
      source: HOME,
    });
    assert.ok(!bearer.ok);
  });

  it('is over while its owner is disabled', async () => {
    const { signIn, accounts, ann } = await openHouse();
    accounts.change(ann.id, { isDisabled: true });
    const refused = await signIn();
    assert.ok(!refused.ok);
    assert.equal(refused.reason, 'sign-in.inactive');
    accounts.change(ann.id, { isDisabled: false });
    assert.ok((await signIn()).ok);
  });

  it('has two secrets while a rotation overlaps, and one after', async () => {
    const old = newPersonalSecret(systemRandom);
    const { show, signIn, clock, accounts, token } = await openHouse();
    accounts.addPersonalToken({
      ...token,
      previous: { secretHash: hashSecret(old), untilMs: clock.nowMs() + HOUR_MS },
    });
    assert.ok((await show('ann', old)).ok);
    clock.advance(HOUR_MS - 1);
    assert.ok((await show('ann', old)).ok);
    clock.advance(1);
    assert.ok(!(await show('ann', old)).ok);
    assert.ok((await signIn()).ok);
  });

  it('remembers its last use and where from, every five minutes at most', async () => {
    const { show, secret, accounts, token, clock } = await openHouse();
    const lastUse = () => accounts.personalTokens.get(token.id)?.lastUse;
    await show('ann', secret);
    await until(() => lastUse() !== undefined, 'a last use');
    assert.deepEqual(lastUse(), { atMs: clock.nowMs(), from: HOME });
    const first = clock.nowMs();
    clock.advance(5 * MINUTE_MS - 1);
    await show('ann', secret, AWAY);
    assert.deepEqual(lastUse(), { atMs: first, from: HOME });
    clock.advance(1);
    await show('ann', secret, AWAY);
    await until(() => lastUse()?.from === AWAY, 'the next last use');
  });
});

describe("a robot's secret", () => {
  it('counts beside the new one until the overlap ends', async () => {
    const { authenticator, accounts, robot, robotSecret, clock } = await createHouse();
    const show = () => authenticator.authenticate({ authorization: basic('ci', robotSecret), source: HOME });
    accounts.change(robot.id, {
      secretHash: hashSecret('another'),
      previous: { secretHash: robot.secretHash, untilMs: clock.nowMs() + HOUR_MS },
    });
    assert.ok((await show()).ok);
    clock.advance(HOUR_MS);
    const refused = await show();
    assert.ok(!refused.ok);
    assert.equal(refused.reason, 'sign-in.secret');
  });

  it('warns in the last fifth of its life', async () => {
    const { authenticator, robotSecret, clock } = await createHouse();
    const warning = async () =>
      identityOf(await authenticator.authenticate({ authorization: basic('ci', robotSecret), source: HOME }))
        .warning;
    assert.equal(await warning(), undefined);
    clock.advance(20 * HOUR_MS);
    assert.equal(await warning(), 'robot ci ends in 4 hours');
  });
});

describe('the warning before an end', () => {
  const lifeMs = 100 * DAY_MS;
  const warn = (restMs: number, life = lifeMs) =>
    expiryWarning({ what: 'token t', createdAtMs: 0, expiresAtMs: life }, life - restMs);

  it('begins seven days before, or in the last fifth of a shorter life, and stops at the end', () => {
    assert.equal(warn(7 * DAY_MS + 1), undefined);
    assert.equal(warn(7 * DAY_MS), 'token t ends in 7 days');
    assert.equal(warn(36 * HOUR_MS), 'token t ends in 36 hours');
    assert.equal(warn(119 * MINUTE_MS), 'token t ends in 119 minutes');
    assert.equal(warn(1), 'token t ends in a moment');
    assert.equal(warn(0), undefined);
    assert.equal(warn(13 * MINUTE_MS, HOUR_MS), undefined);
    assert.equal(warn(12 * MINUTE_MS, HOUR_MS), 'token t ends in 12 minutes');
  });
});
