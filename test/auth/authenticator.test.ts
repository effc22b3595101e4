import assert from 'node:assert/strict';
import {
  type Authentication,
  createPasswordHasher,
  type Identity,
  newRobotSecret,
} from '../../src/auth/index.ts';
import { systemRandom } from '../../src/base/index.ts';
import { until } from '../support/until.ts';
import { basic, createHouse, FAST_HASH, SERVICE } from './fixtures.ts';

const HOME = '192.0.2.1';

function identityOf(result: Authentication): Identity {
  assert.ok(result.ok, `not proved: ${result.ok ? '' : result.reason}`);
  return result.identity;
}

function reasonOf(result: Authentication): string {
  assert.ok(!result.ok, 'proved, but should not be');
  return result.reason;
}

describe('the authenticator', () => {
  it('takes a request without a header for anonymous', async () => {
    const { authenticator } = await createHouse();
    const identity = identityOf(await authenticator.authenticate({ authorization: undefined, source: HOME }));
    assert.deepEqual(identity, {
      principal: { kind: 'anonymous', id: '', name: 'anonymous' },
      via: 'anonymous',
      scopes: undefined,
    });
  });

  it('proves a user by password', async () => {
    const { authenticator, ann, clock } = await createHouse();
    const authorization = basic('ann', 'correct horse');
    assert.deepEqual(identityOf(await authenticator.authenticate({ authorization, source: HOME })), {
      principal: { kind: 'user', id: ann.id, name: 'ann' },
      via: 'basic',
      provedAtMs: clock.nowMs(),
      scopes: undefined,
    });
  });

  it('proves a robot by secret, without a hash of the slow kind', async () => {
    const { authenticator, robot, robotSecret, verifications } = await createHouse();
    const authorization = basic('ci', robotSecret);
    const identity = identityOf(await authenticator.authenticate({ authorization, source: HOME }));
    assert.deepEqual([identity.principal.id, identity.via], [robot.id, 'robot']);
    assert.deepEqual(verifications, []);
  });

  it('proves the bearer of an access token, with its scopes', async () => {
    const { authenticator, tokens, principal } = await createHouse();
    const scopes = [{ type: 'repository', name: 'a', actions: ['pull'] }];
    const { token, tokenId } = await tokens.issue({ principal, scopes });
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      const authorization = `${scheme} ${token}`;
      const identity = identityOf(await authenticator.authenticate({ authorization, source: HOME }));
      assert.deepEqual([identity.principal, identity.via, identity.tokenId], [principal, 'token', tokenId]);
      assert.deepEqual(identity.scopes, scopes);
    }
  });

  it('proves the bearer of an anonymous token', async () => {
    const { authenticator, tokens } = await createHouse();
    const principal = { kind: 'anonymous', id: '', name: 'anonymous' } as const;
    const { token } = await tokens.issue({ principal, scopes: [] });
    const identity = identityOf(
      await authenticator.authenticate({ authorization: `Bearer ${token}`, source: HOME }),
    );
    assert.deepEqual(identity.principal, principal);
    assert.deepEqual(identity.scopes, []);
  });
});

describe('a header that proves nothing', () => {
  const encode = (text: string | Buffer) => Buffer.from(text).toString('base64');
  for (const [threat, header, reason] of [
    ['C-07', 'Basic !!!', 'authorization.malformed'],
    ['C-07', `Basic ${encode('nocolon')}`, 'authorization.malformed'],
    ['C-07', `Basic ${encode(':')}`, 'authorization.malformed'],
    ['C-07', `Basic ${encode(':secret')}`, 'authorization.malformed'],
    ['C-07', `Basic ${encode('ann:')}`, 'authorization.malformed'],
    ['C-07', `Basic ${encode(Buffer.from([0xff, 0xfe, 0x3a, 0x41]))}`, 'authorization.malformed'],
    ['C-07', `Basic ${encode('*)(uid=*:secret')}`, 'sign-in.name'],
    ['C-07', `Basic ${encode("' OR 1=1--:secret")}`, 'sign-in.name'],
    ['C-07', `Basic ${encode('ANN:correct horse')}`, 'sign-in.name'],
    ['C-07', `Basic ${encode('ann :correct horse')}`, 'sign-in.name'],
    ['C-07', `Basic ${encode('ann\u0000:correct horse')}`, 'sign-in.name'],
    ['C-07', `Basic ${encode('__proto__:x')}`, 'sign-in.name'],
    ['C-07', `Basic ${encode('ann:wrong')}`, 'sign-in.password'],
    ['C-07', `Basic ${encode('nobody:x')}`, 'sign-in.unknown'],
    ['C-07', `Basic ${encode('constructor:x')}`, 'sign-in.unknown'],
    ['C-07', `Basic ${encode(`ann:${'x'.repeat(2000)}`)}`, 'sign-in.password'],
    ['C-10', `Basic ${encode('robot$admin:x')}`, 'sign-in.name'],
    ['C-10', `Basic ${encode(`ci:${newRobotSecret(systemRandom)}`)}`, 'sign-in.secret'],
    ['C-10', `Basic ${encode(`ann:${newRobotSecret(systemRandom)}`)}`, 'sign-in.unknown'],
    ['C-10', `Basic ${encode('ci:correct horse')}`, 'sign-in.unknown'],
    ['T-37', 'Bearer', 'authorization.malformed'],
    ['T-37', '', 'authorization.malformed'],
    ['T-37', 'Bearer a, Bearer b', 'authorization.malformed'],
    ['T-37', 'Bearer a,b', 'authorization.malformed'],
    ['T-37', 'Bearer a b', 'authorization.malformed'],
    ['T-37', 'Digest username="ann"', 'authorization.malformed'],
    ['T-37', 'Negotiate abc', 'authorization.malformed'],
    ['T-37', `Basic ${'A'.repeat(20_000)}`, 'authorization.malformed'],
    ['T-10', 'Bearer x', 'token.malformed'],
  ] as const) {
    it(`${threat} is refused as ${reason}: ${JSON.stringify(header.slice(0, 40))}`, async () => {
      const { authenticator } = await createHouse();
      const result = await authenticator.authenticate({ authorization: header, source: HOME });
      assert.equal(reasonOf(result), reason);
      assert.ok(!result.ok);
      assert.equal(result.refusal.status, 401);
      assert.equal(
        result.refusal.message,
        'dockgate: name, password or token not accepted: check them or sign in again; ' +
          'with a second factor on, show a personal access token in place of the password',
      );
    });
  }

  it('C-09 never puts into the record what was typed in the place of a name', async () => {
    const { authenticator } = await createHouse();
    const result = await authenticator.authenticate({
      authorization: basic('My Secret!', 'ann'),
      source: HOME,
    });
    assert.ok(!result.ok);
    assert.equal(result.principalName, undefined);
    assert.ok(!JSON.stringify(result).includes('Secret!'));
  });
});

describe('a sign-in', () => {
  it('C-02 answers alike for an unknown name, a wrong password and a disabled account', async () => {
    const { authenticator, accounts, ann } = await createHouse();
    const attempt = async (name: string, secret: string) => {
      const result = await authenticator.signIn({ name, secret, source: HOME });
      assert.ok(!result.ok);
      return result.refusal;
    };
    const wrong = await attempt('ann', 'wrong');
    assert.deepEqual(await attempt('nobody', 'wrong'), wrong);
    accounts.change(ann.id, { isDisabled: true });
    assert.deepEqual(await attempt('ann', 'correct horse'), wrong);
  });

  it('C-02 computes one slow hash for a name that nobody has, as for one that somebody has', async () => {
    const { authenticator, verifications } = await createHouse();
    await authenticator.signIn({ name: 'nobody', secret: 'a', source: HOME });
    await authenticator.signIn({ name: 'ann', secret: 'b', source: HOME });
    assert.deepEqual(verifications, ['a', 'b']);
  });

  it('C-01 is refused with 429 and Retry-After after too many wrong passwords, each counted', async () => {
    const { authenticator, failures } = await createHouse();
    for (let tries = 0; tries < 5; tries++) {
      const result = await authenticator.signIn({ name: 'ann', secret: `wrong${tries}`, source: HOME });
      assert.equal(reasonOf(result), 'sign-in.password');
    }
    const result = await authenticator.signIn({ name: 'ann', secret: 'correct horse', source: HOME });
    assert.equal(reasonOf(result), 'limit.sign-in');
    assert.ok(!result.ok);
    assert.equal(result.refusal.code, 'TOOMANYREQUESTS');
    assert.equal(result.refusal.status, 429);
    assert.equal(result.refusal.headers?.['Retry-After'], '1');
    assert.equal(failures.length, 5);
  });

  it('C-01 is accepted again after the delay', async () => {
    const { authenticator, clock } = await createHouse();
    for (let tries = 0; tries < 5; tries++) {
      await authenticator.signIn({ name: 'ann', secret: `wrong${tries}`, source: HOME });
    }
    clock.advance(1000);
    identityOf(await authenticator.signIn({ name: 'ann', secret: 'correct horse', source: HOME }));
  });

  it('C-01 never counts an access token, nor refuses one that works while its source is limited', async () => {
    const { authenticator, tokens, principal, failures } = await createHouse();
    const { token } = await tokens.issue({ principal, scopes: [] });
    for (let tries = 0; tries < 40; tries++) {
      await authenticator.authenticate({ authorization: `Bearer wrong${tries}`, source: HOME });
    }
    assert.deepEqual(failures, []);
    for (let tries = 0; tries < 10; tries++) {
      await authenticator.signIn({ name: 'ann', secret: `wrong${tries}`, source: HOME });
    }
    identityOf(await authenticator.authenticate({ authorization: `Bearer ${token}`, source: HOME }));
  });

  it('C-01 lets a right robot secret in while its source is limited', async () => {
    const { authenticator, robotSecret } = await createHouse();
    const attempt = (secret: string) => authenticator.signIn({ name: 'ci', secret, source: HOME });
    let last = await attempt(newRobotSecret(systemRandom));
    for (let tries = 0; tries < 10; tries++) last = await attempt(newRobotSecret(systemRandom));
    assert.equal(reasonOf(last), 'limit.sign-in');
    identityOf(await attempt(robotSecret));
  });

  it('C-01 limits a source that tries impossible names', async () => {
    const { authenticator } = await createHouse();
    let last = await authenticator.signIn({ name: '*', secret: 'x', source: HOME });
    for (let tries = 0; tries < 10; tries++) {
      last = await authenticator.signIn({ name: `*${tries}`, secret: 'x', source: HOME });
    }
    assert.equal(reasonOf(last), 'limit.sign-in');
  });

  it('C-04 with one password eight times at once is one hash', async () => {
    const { authenticator, verifications } = await createHouse();
    const all = await Promise.all(
      Array.from({ length: 8 }, () =>
        authenticator.signIn({ name: 'ann', secret: 'correct horse', source: HOME }),
      ),
    );
    for (const result of all) identityOf(result);
    assert.equal(verifications.length, 1);
  });

  it('C-04 with one password from twenty-five addresses at once is one hash, counted for each address', async () => {
    const { authenticator, verifications } = await createHouse();
    const signInFromAll = (secret: string) =>
      Promise.all(
        Array.from({ length: 25 }, (_, index) =>
          authenticator.signIn({ name: 'ann', secret, source: `192.0.2.${index}` }),
        ),
      );
    for (const result of await signInFromAll('correct horse')) identityOf(result);
    assert.equal(verifications.length, 1);
    for (const result of await signInFromAll('wrong')) assert.equal(reasonOf(result), 'sign-in.password');
    assert.equal(verifications.length, 2);
  });

  it('C-04 beyond the queue is refused with 429, and those in it are answered', async () => {
    const { authenticator } = await createHouse();
    const all = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        authenticator.signIn({ name: 'ann', secret: `wrong${index}`, source: `192.0.2.${index}` }),
      ),
    );
    const reasons = all.map(reasonOf);
    assert.equal(reasons.filter((reason) => reason === 'sign-in.password').length, 17);
    assert.equal(reasons.filter((reason) => reason === 'limit.hashing').length, 13);
    const refused = all.find((result) => reasonOf(result) === 'limit.hashing');
    assert.ok(refused && !refused.ok);
    assert.equal(refused.refusal.status, 429);
    assert.equal(refused.refusal.headers?.['Retry-After'], '3');
  });

  it('is remembered for five minutes, so that Basic on every request is one hash', async () => {
    const { authenticator, verifications, clock } = await createHouse();
    const request = { authorization: basic('ann', 'correct horse'), source: HOME };
    identityOf(await authenticator.authenticate(request));
    clock.advance(299_999);
    identityOf(await authenticator.authenticate(request));
    assert.equal(verifications.length, 1);
    clock.advance(1);
    identityOf(await authenticator.authenticate(request));
    assert.equal(verifications.length, 2);
  });

  it('is hashed anew when the parameters have risen since, and stays the same password', async () => {
    const { authenticator, accounts, ann } = await createHouse();
    const weak = createPasswordHasher({ ...FAST_HASH, memoryKiB: 8 }, { random: systemRandom });
    const secretHash = await weak.hash('correct horse');
    assert.ok(typeof secretHash === 'string');
    accounts.change(ann.id, { secretHash });
    const show = () =>
      authenticator.authenticate({ authorization: basic('ann', 'correct horse'), source: HOME });
    assert.ok((await show()).ok);
    const now = async () => (await accounts.findAccountById(ann.id))?.secretHash;
    await until(async () => (await now()) !== secretHash, 'a new hash');
    assert.match((await now()) ?? '', /m=64,/);
    accounts.change(ann.id, {});
    assert.ok((await show()).ok);
  });

  it('is not remembered when it was wrong', async () => {
    const { authenticator, verifications } = await createHouse();
    for (let tries = 0; tries < 2; tries++) {
      assert.equal(
        reasonOf(await authenticator.signIn({ name: 'ann', secret: 'wrong', source: HOME })),
        'sign-in.password',
      );
    }
    assert.equal(verifications.length, 2);
  });

  it('is forgotten when the channel of changes may have lost one', async () => {
    const { authenticator, verifications, changes } = await createHouse();
    const request = { name: 'ann', secret: 'correct horse', source: HOME };
    await authenticator.signIn(request);
    changes.lose();
    await authenticator.signIn(request);
    assert.equal(verifications.length, 2);
  });

  it('counts wrong passwords from another source while the right one is remembered', async () => {
    const { authenticator } = await createHouse();
    const right = { name: 'ann', secret: 'correct horse', source: HOME };
    await authenticator.signIn(right);
    for (let tries = 0; tries < 8; tries++) {
      await authenticator.signIn({ name: 'ann', secret: `wrong${tries}`, source: '192.0.2.9' });
    }
    identityOf(await authenticator.signIn(right));
  });
});

describe('what was proved', () => {
  const REVOCATIONS: readonly (readonly [
    string,
    (house: Awaited<ReturnType<typeof createHouse>>) => void,
  ])[] = [
    ['the account is disabled', ({ accounts, ann }) => accounts.change(ann.id, { isDisabled: true })],
    ['the account is removed', ({ accounts, ann }) => accounts.remove(ann.id)],
    [
      'its tokens are revoked',
      ({ accounts, ann, clock }) => accounts.change(ann.id, { notBeforeMs: clock.nowMs() + 1 }),
    ],
  ];
  for (const [what, revoke] of REVOCATIONS) {
    it(`T-22 by a token is over with the next request when ${what}`, async () => {
      const house = await createHouse();
      const { authenticator, tokens, principal } = house;
      const { token } = await tokens.issue({ principal, scopes: [] });
      const request = { authorization: `Bearer ${token}`, source: HOME };
      identityOf(await authenticator.authenticate(request));
      revoke(house);
      assert.equal(reasonOf(await authenticator.authenticate(request)), 'token.revoked');
    });
  }

  it('T-22 by a password is over with the next request when the password is changed', async () => {
    const { authenticator, accounts, ann, hasher, clock } = await createHouse();
    const request = { authorization: basic('ann', 'correct horse'), source: HOME };
    identityOf(await authenticator.authenticate(request));
    const secretHash = await hasher.hash('another horse');
    assert.ok(typeof secretHash === 'string');
    accounts.change(ann.id, { secretHash, notBeforeMs: clock.nowMs() + 1 });
    assert.equal(reasonOf(await authenticator.authenticate(request)), 'sign-in.password');
    identityOf(
      await authenticator.authenticate({ ...request, authorization: basic('ann', 'another horse') }),
    );
  });

  it('T-22 by a password is over with the next request when the account is disabled', async () => {
    const { authenticator, accounts, ann } = await createHouse();
    const request = { authorization: basic('ann', 'correct horse'), source: HOME };
    identityOf(await authenticator.authenticate(request));
    accounts.change(ann.id, { isDisabled: true });
    assert.equal(reasonOf(await authenticator.authenticate(request)), 'sign-in.inactive');
  });

  it('T-22 by a password that is changed during the check is nothing, also for who waits for the same answer', async () => {
    const { authenticator, accounts, ann, during, clock } = await createHouse();
    const request = { name: 'ann', secret: 'correct horse', source: HOME };
    let late: Promise<Authentication> | undefined;
    during.verify = () => {
      during.verify = () => {};
      accounts.change(ann.id, { secretHash: 'sha256:00', notBeforeMs: clock.nowMs() + 1 });
      late = authenticator.signIn(request);
    };
    assert.equal(reasonOf(await authenticator.signIn(request)), 'sign-in.changed');
    assert.ok(late);
    assert.equal(reasonOf(await late), 'sign-in.changed');
    assert.equal(reasonOf(await authenticator.signIn(request)), 'sign-in.password');
  });

  it('T-22 gives no token that outlives a revocation between proof and token', async () => {
    const { authenticator, accounts, ann, clock, tokens } = await createHouse();
    const identity = identityOf(
      await authenticator.signIn({ name: 'ann', secret: 'correct horse', source: HOME }),
    );
    clock.advance(5);
    accounts.change(ann.id, { notBeforeMs: clock.nowMs() });
    clock.advance(5);
    const { principal, provedAtMs } = identity;
    const { token } = await tokens.issue({ principal, provedAtMs, scopes: [] });
    const result = await authenticator.authenticate({ authorization: `Bearer ${token}`, source: HOME });
    assert.equal(reasonOf(result), 'token.revoked');
  });

  it('C-10 by a robot is over when the robot is', async () => {
    const { authenticator, tokens, robot, robotSecret, clock } = await createHouse();
    clock.advance(86_399_999);
    const principal = { kind: 'robot' as const, id: robot.id, name: 'ci' };
    const { token } = await tokens.issue({ principal, scopes: [] });
    identityOf(await authenticator.signIn({ name: 'ci', secret: robotSecret, source: HOME }));
    identityOf(await authenticator.authenticate({ authorization: `Bearer ${token}`, source: HOME }));
    clock.advance(1);
    assert.equal(
      reasonOf(await authenticator.signIn({ name: 'ci', secret: robotSecret, source: HOME })),
      'sign-in.inactive',
    );
    assert.equal(
      reasonOf(await authenticator.authenticate({ authorization: `Bearer ${token}`, source: HOME })),
      'token.revoked',
    );
  });

  it('C-15 does not pass to another account of the same name', async () => {
    const { authenticator, accounts, ann, tokens, principal } = await createHouse();
    const { token } = await tokens.issue({ principal, scopes: [] });
    await authenticator.signIn({ name: 'ann', secret: 'correct horse', source: HOME });
    accounts.remove(ann.id);
    accounts.add({ ...ann, id: 'another', secretHash: 'sha256:00' });
    assert.equal(
      reasonOf(await authenticator.authenticate({ authorization: `Bearer ${token}`, source: HOME })),
      'token.revoked',
    );
    assert.equal(
      reasonOf(await authenticator.signIn({ name: 'ann', secret: 'correct horse', source: HOME })),
      'sign-in.password',
    );
  });
});

describe('a refresh token', () => {
  const CLIENT = 'docker';
  it('T-24 proves its account any number of times, also twice at once', async () => {
    const { authenticator, refreshTokens, principal } = await createHouse();
    const { token, tokenId } = await refreshTokens.issue({ principal, service: SERVICE, clientId: CLIENT });
    assert.match(token, /^dgf_[a-z2-7]{26}_[0-9A-Za-z]{49}$/);
    const use = () => authenticator.refresh({ token, service: SERVICE, source: HOME });
    for (const result of [await use(), ...(await Promise.all([use(), use()]))]) {
      const identity = identityOf(result);
      assert.deepEqual(
        [identity.principal, identity.via, identity.tokenId],
        [principal, 'refresh-token', tokenId],
      );
      assert.equal(identity.scopes, undefined);
    }
  });

  it('T-24 is kept as a hash only, with its service and client', async () => {
    const { refreshTokens, principal, accounts, clock } = await createHouse();
    const { token, tokenId } = await refreshTokens.issue({ principal, service: SERVICE, clientId: CLIENT });
    const kept = accounts.refreshTokens.get(tokenId);
    assert.ok(kept);
    assert.ok(!token.includes(kept.secretHash) && !kept.secretHash.includes(token.slice(-49)));
    assert.deepEqual(
      [kept.accountId, kept.service, kept.clientId, kept.createdAtMs, kept.lastUsedAtMs],
      [principal.id, SERVICE, CLIENT, clock.nowMs(), clock.nowMs()],
    );
  });

  it('T-24 writes its last use every five minutes at most', async () => {
    const { refreshTokens, principal, accounts, clock } = await createHouse();
    const { token, tokenId } = await refreshTokens.issue({ principal, service: SERVICE, clientId: CLIENT });
    const madeAtMs = clock.nowMs();
    clock.advance(299_999);
    await refreshTokens.check({ token, service: SERVICE, source: HOME });
    assert.equal(accounts.refreshTokens.get(tokenId)?.lastUsedAtMs, madeAtMs);
    clock.advance(1);
    await refreshTokens.check({ token, service: SERVICE, source: HOME });
    assert.equal(accounts.refreshTokens.get(tokenId)?.lastUsedAtMs, madeAtMs + 300_000);
  });

  it('T-24 dies of ninety days without use', async () => {
    const { authenticator, refreshTokens, principal, clock } = await createHouse();
    const { token } = await refreshTokens.issue({ principal, service: SERVICE, clientId: CLIENT });
    clock.advance(90 * 86_400_000 - 1);
    identityOf(await authenticator.refresh({ token, service: SERVICE, source: HOME }));
    clock.advance(90 * 86_400_000);
    assert.equal(
      reasonOf(await authenticator.refresh({ token, service: SERVICE, source: HOME })),
      'refresh-token.unused',
    );
  });

  it('T-25 is refused for another service', async () => {
    const { authenticator, refreshTokens, principal } = await createHouse();
    const { token } = await refreshTokens.issue({ principal, service: SERVICE, clientId: CLIENT });
    assert.equal(
      reasonOf(await authenticator.refresh({ token, service: 'other', source: HOME })),
      'refresh-token.service',
    );
  });

  it('T-24 is refused when its secret, its id or its form is not right', async () => {
    const { authenticator, refreshTokens, principal, robotSecret } = await createHouse();
    const one = await refreshTokens.issue({ principal, service: SERVICE, clientId: CLIENT });
    const other = await refreshTokens.issue({ principal, service: SERVICE, clientId: CLIENT });
    const secretOf = (token: string) => token.slice(-49);
    for (const [token, cause] of [
      [one.token.slice(0, -49) + secretOf(other.token), 'secret'],
      [`dgf_${'a'.repeat(26)}_${secretOf(one.token)}`, 'unknown'],
      [`${one.token}x`, 'malformed'],
      [one.token.slice(0, -1), 'malformed'],
      [one.token.slice(0, -1) + (one.token.endsWith('0') ? '1' : '0'), 'malformed'],
      [robotSecret, 'malformed'],
      ['', 'malformed'],
      ['x'.repeat(100_000), 'malformed'],
    ] as const) {
      const result = await authenticator.refresh({ token, service: SERVICE, source: HOME });
      assert.equal(reasonOf(result), `refresh-token.${cause}`);
      assert.ok(!result.ok);
      assert.equal(result.refusal.status, 401);
    }
  });

  for (const what of ['disabled', 'revoked', 'removed'] as const) {
    it(`T-24 dies when the account is ${what}`, async () => {
      const { authenticator, refreshTokens, principal, accounts, clock } = await createHouse();
      const { token } = await refreshTokens.issue({ principal, service: SERVICE, clientId: CLIENT });
      if (what === 'disabled') accounts.change(principal.id, { isDisabled: true });
      if (what === 'revoked') accounts.change(principal.id, { notBeforeMs: clock.nowMs() + 1 });
      if (what === 'removed') accounts.remove(principal.id);
      assert.equal(
        reasonOf(await authenticator.refresh({ token, service: SERVICE, source: HOME })),
        'refresh-token.revoked',
      );
    });
  }

  it('T-24 still works when its last use cannot be written', async () => {
    const { authenticator, refreshTokens, principal, accounts, clock } = await createHouse();
    const { token } = await refreshTokens.issue({ principal, service: SERVICE, clientId: CLIENT });
    accounts.touchRefreshToken = async () => {
      throw new Error('housekeeping is away');
    };
    clock.advance(600_000);
    identityOf(await authenticator.refresh({ token, service: SERVICE, source: HOME }));
  });
});
