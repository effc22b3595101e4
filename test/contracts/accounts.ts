import assert from 'node:assert/strict';
import type { Account, NewGrant, PersonalToken, ProgramSignIn, RefreshToken } from '../../src/auth/index.ts';
import { BUILT_IN_ROLES } from '../../src/roles/index.ts';
import { type OpenStore, withStore } from './store-bench.ts';

const HOUR_MS = 3_600_000;

function account(name: string, overrides: Partial<Account> = {}): Account {
  return {
    kind: 'user',
    id: `id-${name}`,
    name,
    secretHash: '$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA',
    isDisabled: false,
    notBeforeMs: 0,
    createdAtMs: 1000,
    ...overrides,
  };
}

function grant(role: string, subject: NewGrant['subject'], overrides: Partial<NewGrant> = {}): NewGrant {
  return { role, pattern: '**', subject, effect: 'allow', ...overrides };
}

const user = (name: string) => ({ kind: 'user', name }) as const;
const group = (name: string) => ({ kind: 'group', name }) as const;

function token(id: string, accountId: string, overrides: Partial<RefreshToken> = {}): RefreshToken {
  return {
    id,
    accountId,
    service: 'dockgate',
    clientId: 'docker',
    secretHash: `sha256:${id}`,
    createdAtMs: 5000,
    lastUsedAtMs: 5000,
    ...overrides,
  };
}

const conflict = (reason: string, message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Error && 'code' in error && 'reason' in error && 'status' in error);
  assert.equal(error.code, 'DG_STORE_CONFLICT');
  assert.equal(error.status, ({ unknown: 404, beyond: 403 } as Record<string, number>)[reason] ?? 409);
  assert.equal(error.reason, reason);
  if (message) assert.match(error.message, message);
  return true;
};

/** What every implementation of AccountReads and AccountWrites does. */
export function accountsContract(implementation: string, open: OpenStore): void {
  describe(`accounts in ${implementation}`, () => {
    const bench = withStore(open);
    const accounts = () => bench().store.accounts;
    const accessOf = async (id: string, kind: 'user' | 'robot' = 'user') => {
      const access = await accounts().readAccess({ kind, id });
      assert.ok(access);
      return access;
    };

    describe('an account', () => {
      it('is found by id and by name as it was added', async () => {
        const robot = account('ci', { kind: 'robot', expiresAtMs: 9000, notBeforeMs: 7, isDisabled: true });
        await accounts().addAccount(robot);
        assert.deepEqual(await accounts().findAccountById(robot.id), robot);
        assert.deepEqual(await accounts().findAccountByName('robot', 'ci'), robot);
        assert.equal(await accounts().findAccountByName('user', 'ci'), undefined);
        assert.equal(await accounts().findAccountById('nobody'), undefined);
      });

      it('cannot have the name of another of its kind, whatever the case', async () => {
        await accounts().addAccount(account('alice'));
        for (const name of ['alice', 'ALICE', 'ａｌｉｃｅ']) {
          await assert.rejects(accounts().addAccount(account(name, { id: 'other' })), conflict('taken'));
        }
        await accounts().addAccount(account('alice', { id: 'robot-alice', kind: 'robot' }));
        assert.equal((await accounts().listAccounts('user')).length, 1);
      });

      it('is found by its name as written only, so that a counter of attempts cannot be fooled by case', async () => {
        await accounts().addAccount(account('alice'));
        assert.equal(await accounts().findAccountByName('user', 'Alice'), undefined);
      });

      it('cannot have the id of another', async () => {
        await accounts().addAccount(account('alice', { id: 'one' }));
        await assert.rejects(accounts().addAccount(account('bob', { id: 'one' })), conflict('taken'));
      });

      it('inherits nothing from one of the same name that was removed (C-15)', async () => {
        await accounts().addAccount(account('alice', { id: 'first' }));
        await accounts().addGroup({ id: 'g', name: 'team' });
        await accounts().joinGroup('team', 'alice');
        await accounts().addGrant(grant('reader', user('alice')));
        await accounts().addGrant(grant('developer', group('team')));
        await accounts().addRefreshToken(token('t', 'first'));
        await accounts().removeAccount('first');
        await accounts().addAccount(account('alice', { id: 'second' }));
        assert.deepEqual((await accessOf('second')).grants, []);
        assert.equal(await accounts().readAccess({ kind: 'user', id: 'first' }), undefined);
        assert.equal(await accounts().findRefreshToken('t'), undefined);
        assert.deepEqual(await accounts().listGroups(), [{ id: 'g', name: 'team', members: [] }]);
      });

      it('never gets the id of one that was removed (C-15)', async () => {
        await accounts().addAccount(account('alice', { id: 'first' }));
        await accounts().removeAccount('first');
        await assert.rejects(accounts().addAccount(account('bob', { id: 'first' })), conflict('taken'));
      });

      it('is listed by kind in the order of names', async () => {
        for (const name of ['carol', 'alice', 'bob']) await accounts().addAccount(account(name));
        await accounts().addAccount(account('ci', { kind: 'robot' }));
        assert.deepEqual(
          (await accounts().listAccounts('user')).map(({ name }) => name),
          ['alice', 'bob', 'carol'],
        );
        assert.deepEqual(
          (await accounts().listAccounts('robot')).map(({ name }) => name),
          ['ci'],
        );
      });

      it('may be named by hostile text, which stays text (N-19, W-11)', async () => {
        const names = [`'; drop table accounts; --`, `" or ""="`, '%', '_', '\u0000', '__proto__', '{"a":1}'];
        for (const [at, name] of names.entries())
          await accounts().addAccount(account(name, { id: `n${at}` }));
        for (const [at, name] of names.entries()) {
          assert.equal((await accounts().findAccountByName('user', name))?.id, `n${at}`);
        }
        assert.equal(await accounts().findAccountByName('user', "x' or '1'='1"), undefined);
        assert.equal((await accounts().listAccounts('user')).length, names.length);
      });

      it('that is not there cannot be changed', async () => {
        await assert.rejects(accounts().setSecret('nobody', 'x', 1), conflict('unknown'));
        await assert.rejects(accounts().setDisabled('nobody', true, 1), conflict('unknown'));
        await assert.rejects(accounts().revokeTokens('nobody', 1), conflict('unknown'));
        await assert.rejects(accounts().removeAccount('nobody'), conflict('unknown'));
        assert.deepEqual(bench().changes, []);
      });
    });

    describe('a credential', () => {
      beforeEach(async () => {
        await accounts().addAccount(account('alice', { notBeforeMs: 100 }));
        await accounts().addRefreshToken(token('t', 'id-alice'));
      });

      it('that is replaced kills the tokens of the one before', async () => {
        await accounts().setSecret('id-alice', 'new', 6000);
        const alice = await accounts().findAccountById('id-alice');
        assert.equal(alice?.secretHash, 'new');
        assert.equal(alice?.notBeforeMs, 6000);
        assert.equal(await accounts().findRefreshToken('t'), undefined);
      });

      it('is dead after disabling, and enabling does not bring it back', async () => {
        await accounts().setDisabled('id-alice', true, 6000);
        assert.equal((await accessOf('id-alice')).isActive, false);
        await accounts().setDisabled('id-alice', false, 6500);
        const access = await accessOf('id-alice');
        assert.equal(access.isActive, true);
        assert.equal(access.notBeforeMs, 6500);
        assert.equal(await accounts().findRefreshToken('t'), undefined);
      });

      it('is not revived by an instant that lies before the last one: the stamp rises all the same', async () => {
        await accounts().revokeTokens('id-alice', 9000);
        await accounts().revokeTokens('id-alice', 8000);
        assert.equal((await accessOf('id-alice')).notBeforeMs, 9001);
      });

      it('leaves the tokens of others alone', async () => {
        await accounts().addAccount(account('bob'));
        await accounts().addRefreshToken(token('bobs', 'id-bob'));
        await accounts().revokeTokens('id-alice', 9000);
        assert.deepEqual(await accounts().findRefreshToken('bobs'), token('bobs', 'id-bob'));
      });
    });

    describe('a personal access token', () => {
      const personal = (name: string, overrides: Partial<PersonalToken> = {}): PersonalToken => ({
        id: `pat-${name}`,
        accountId: 'id-alice',
        name,
        secretHash: `sha256:${name}`,
        allows: [{ actions: ['pull'], pattern: 'team/**' }],
        createdAtMs: 5000,
        expiresAtMs: 90_000,
        ...overrides,
      });
      beforeEach(() => accounts().addAccount(account('alice')));

      it('is found by its hash, listed with its owner and part of the access', async () => {
        await accounts().addPersonalToken(personal('laptop'));
        assert.deepEqual(await accounts().findPersonalToken('sha256:laptop'), personal('laptop'));
        assert.equal(await accounts().findPersonalToken('sha256:other'), undefined);
        assert.deepEqual(await accounts().listPersonalTokens('id-alice'), [personal('laptop')]);
        assert.deepEqual((await accessOf('id-alice')).tokens, [
          { id: 'pat-laptop', allows: [{ actions: ['pull'], pattern: 'team/**' }], expiresAtMs: 90_000 },
        ]);
        assert.deepEqual(await accounts().listPersonalTokens('nobody'), []);
      });

      it('is found by the hash before its rotation too, which says until when that counts', async () => {
        await accounts().addPersonalToken(personal('laptop'));
        const life = { createdAtMs: 6000, expiresAtMs: 99_000 };
        const rotation = { secretHash: 'sha256:new', previousUntilMs: 9000, ...life };
        await accounts().rotatePersonalToken('pat-laptop', rotation);
        const rotated = personal('laptop', {
          ...{ secretHash: 'sha256:new', previous: { secretHash: 'sha256:laptop', untilMs: 9000 } },
          ...life,
        });
        for (const hash of ['sha256:laptop', 'sha256:new']) {
          assert.deepEqual(await accounts().findPersonalToken(hash), rotated);
        }
        await accounts().rotatePersonalToken('pat-laptop', { secretHash: 'sha256:newer', ...life });
        for (const hash of ['sha256:laptop', 'sha256:new']) {
          assert.equal(await accounts().findPersonalToken(hash), undefined);
        }
      });

      it('keeps its last use', async () => {
        await accounts().addPersonalToken(personal('laptop'));
        const lastUse = { atMs: 7000, from: '192.0.2.1' };
        await accounts().touchPersonalToken('pat-laptop', lastUse);
        await accounts().touchPersonalToken('nothing', lastUse);
        assert.deepEqual(await accounts().listPersonalTokens('id-alice'), [personal('laptop', { lastUse })]);
      });

      it('has a name that its owner uses once, and others may use too', async () => {
        await accounts().addAccount(account('bob'));
        await accounts().addPersonalToken(personal('laptop'));
        await assert.rejects(
          accounts().addPersonalToken(personal('laptop', { id: 'x', secretHash: 'sha256:x' })),
          conflict('taken'),
        );
        await accounts().addPersonalToken(
          personal('laptop', { id: 'y', secretHash: 'sha256:y', accountId: 'id-bob' }),
        );
      });

      it('is one of fifty at most, those that ended a month ago not counted', async () => {
        const ended = { createdAtMs: 0, expiresAtMs: 1 };
        await accounts().addPersonalToken(personal('old', ended));
        for (let n = 0; n < 49; n++) await accounts().addPersonalToken(personal(`t${n}`));
        await assert.rejects(accounts().addPersonalToken(personal('more')), conflict('in-use'));
        const month = { createdAtMs: 2 + 30 * 24 * HOUR_MS, expiresAtMs: 40 * 24 * HOUR_MS };
        await accounts().addPersonalToken(personal('later', month));
        const names = (await accounts().listPersonalTokens('id-alice')).map(({ name }) => name);
        assert.deepEqual([names.length, names.includes('old'), names.includes('later')], [50, false, true]);
      });

      it('is over when it is removed, its owner revoked or removed', async () => {
        await accounts().addPersonalToken(personal('a'));
        await accounts().addPersonalToken(personal('b'));
        await accounts().removePersonalToken('pat-a');
        assert.equal(await accounts().findPersonalToken('sha256:a'), undefined);
        await assert.rejects(accounts().removePersonalToken('pat-a'), conflict('unknown'));
        await assert.rejects(
          accounts().rotatePersonalToken('pat-a', { secretHash: 'x', createdAtMs: 1, expiresAtMs: 2 }),
          conflict('unknown'),
        );
        await accounts().revokeTokens('id-alice', 9000);
        assert.equal((await accessOf('id-alice')).tokens, undefined);
        await accounts().addPersonalToken(personal('c'));
        await accounts().removeAccount('id-alice');
        assert.equal(await accounts().findPersonalToken('sha256:c'), undefined);
      });
    });

    describe('a hash of a password', () => {
      it('is replaced where it is still the one that was read, and nothing ends by it', async () => {
        await accounts().addAccount(account('alice'));
        const { secretHash = '', notBeforeMs } = (await accounts().findAccountById('id-alice')) ?? {};
        await accounts().replaceHash('id-alice', secretHash, 'better');
        await accounts().replaceHash('id-alice', secretHash, 'of an older password');
        const after = await accounts().findAccountById('id-alice');
        assert.deepEqual([after?.secretHash, after?.notBeforeMs], ['better', notBeforeMs]);
      });
    });

    describe("a robot's secret", () => {
      beforeEach(() => accounts().addAccount(account('ci', { kind: 'robot' })));
      const robot = async () => accounts().findAccountById('id-ci');

      it('is rotated with the one before kept until an instant, and its tokens live on', async () => {
        const before = await robot();
        await accounts().rotateSecret('id-ci', { secretHash: 'sha256:new', previousUntilMs: 9000 });
        assert.deepEqual((await robot())?.previous, { secretHash: before?.secretHash, untilMs: 9000 });
        assert.equal((await robot())?.notBeforeMs, before?.notBeforeMs);
        await accounts().setSecret('id-ci', 'sha256:newer', 9000);
        assert.equal((await robot())?.previous, undefined);
        await assert.rejects(accounts().rotateSecret('nobody', { secretHash: 'x' }), conflict('unknown'));
      });

      it('has a last use', async () => {
        await accounts().touchAccount('id-ci', { atMs: 7000, from: '192.0.2.1' });
        assert.deepEqual((await robot())?.lastUse, { atMs: 7000, from: '192.0.2.1' });
      });
    });

    describe('a refresh token', () => {
      beforeEach(() => accounts().addAccount(account('alice')));

      it('is found, touched and removed', async () => {
        await accounts().addRefreshToken(token('t', 'id-alice'));
        await accounts().touchRefreshToken('t', { atMs: 7000, from: '192.0.2.1' });
        assert.deepEqual(
          await accounts().findRefreshToken('t'),
          token('t', 'id-alice', { lastUsedAtMs: 7000, lastUsedFrom: '192.0.2.1' }),
        );
        await accounts().removeRefreshToken('t');
        assert.equal(await accounts().findRefreshToken('t'), undefined);
        await accounts().removeRefreshToken('t');
        await accounts().touchRefreshToken('t', { atMs: 8000, from: '' });
      });

      it('drops the one used longest ago when there are more than 100 (C-16)', async () => {
        for (let at = 0; at < 100; at++) {
          await accounts().addRefreshToken(token(`t${at}`, 'id-alice', { lastUsedAtMs: 5000 + at }));
        }
        await accounts().touchRefreshToken('t0', { atMs: 9000, from: '' });
        await accounts().addRefreshToken(token('new', 'id-alice', { lastUsedAtMs: 1 }));
        assert.equal(await accounts().findRefreshToken('t1'), undefined);
        for (const id of ['t0', 't2', 't99', 'new']) assert.ok(await accounts().findRefreshToken(id), id);
      });

      it('needs an account', async () => {
        await assert.rejects(accounts().addRefreshToken(token('t', 'nobody')), conflict('unknown'));
      });
    });

    describe('access', () => {
      beforeEach(() => accounts().addAccount(account('alice')));

      it('holds the grants of the account itself and of its groups, with the actions of their roles', async () => {
        await accounts().addGroup({ id: 'g', name: 'team' });
        await accounts().joinGroup('team', 'alice');
        await accounts().addGrant(grant('reader', user('alice'), { pattern: 'lab/**' }));
        await accounts().addGrant(
          grant('developer', group('team'), { effect: 'deny', fromMs: 5, untilMs: 10 }),
        );
        await accounts().addAccount(account('bob'));
        await accounts().addGrant(grant('admin', user('bob')));
        const { grants } = await accessOf('id-alice');
        assert.equal(grants.length, 2);
        const [reader, developer] = ['reader', 'developer'].map((role) =>
          grants.find((one) => one.role === role),
        );
        assert.deepEqual(reader?.subject, { kind: 'user', id: 'id-alice', name: 'alice' });
        assert.deepEqual(reader?.actions, ['pull', 'list']);
        assert.equal(reader?.pattern, 'lab/**');
        assert.deepEqual(developer?.subject, { kind: 'group', id: 'g', name: 'team' });
        assert.equal(developer?.effect, 'deny');
        assert.equal(developer?.fromMs, 5);
        assert.equal(developer?.untilMs, 10);
      });

      it('tells when a robot ends, and only for its own kind', async () => {
        await accounts().addAccount(account('ci', { kind: 'robot', expiresAtMs: 4000 }));
        assert.deepEqual(await accessOf('id-ci', 'robot'), {
          isActive: true,
          notBeforeMs: 0,
          expiresAtMs: 4000,
          grants: [],
        });
        assert.equal(await accounts().readAccess({ kind: 'user', id: 'id-ci' }), undefined);
      });

      it('of anonymous holds what is granted to anonymous', async () => {
        await accounts().addGrant(grant('reader', { kind: 'anonymous', name: '' }, { pattern: 'public/**' }));
        const access = await accounts().readAccess({ kind: 'anonymous', id: '' });
        assert.equal(access?.isActive, true);
        assert.deepEqual(
          access?.grants.map(({ pattern, subject }) => ({ pattern, subject })),
          [{ pattern: 'public/**', subject: { kind: 'anonymous', id: '', name: 'anonymous' } }],
        );
      });

      it('of local is not kept here', async () => {
        assert.equal(await accounts().readAccess({ kind: 'local', id: 'local' }), undefined);
      });

      it('follows a custom role the moment it changes', async () => {
        await accounts().putRole({ name: 'scanner', actions: ['pull', 'scan'] });
        await accounts().addGrant(grant('scanner', user('alice')));
        await accounts().putRole({ name: 'scanner', actions: ['scan'] });
        assert.deepEqual((await accessOf('id-alice')).grants[0]?.actions, ['scan']);
      });
    });

    describe('a grant', () => {
      beforeEach(async () => {
        await accounts().addAccount(account('alice'));
        await accounts().addGroup({ id: 'g', name: 'team' });
      });

      it('added again is the one there is; with other dates or effect it is another', async () => {
        const first = await accounts().addGrant(grant('reader', user('alice')));
        assert.equal(await accounts().addGrant(grant('reader', user('alice'))), first);
        for (const other of [{ untilMs: 9 }, { effect: 'deny' }, { pattern: 'a/**' }] as const) {
          assert.notEqual(await accounts().addGrant(grant('reader', user('alice'), other)), first);
        }
        assert.equal((await accounts().listGrants()).length, 4);
      });

      it('is removed by role, pattern and subject', async () => {
        await accounts().addGrant(grant('reader', user('alice')));
        await accounts().addGrant(grant('reader', group('team')));
        await accounts().addGrant(grant('reader', user('alice'), { pattern: 'a/**' }));
        assert.equal(await accounts().removeGrant(grant('reader', user('alice'))), true);
        assert.equal(await accounts().removeGrant(grant('reader', user('alice'))), false);
        assert.equal((await accounts().listGrants()).length, 2);
      });

      it('to anonymous is removed like any other', async () => {
        const anonymous = grant('reader', { kind: 'anonymous', name: 'anonymous' });
        await accounts().addGrant(anonymous);
        assert.equal(await accounts().removeGrant(anonymous), true);
        assert.deepEqual(await accounts().listGrants(), []);
      });

      it('refers only to what is there', async () => {
        const cases: readonly [NewGrant, RegExp][] = [
          [grant('emperor', user('alice')), /no role named "emperor"/],
          [grant('reader', user('mallory')), /no user named "mallory"/],
          [grant('reader', group('nobodies')), /no group named "nobodies"/],
          [grant('reader', { kind: 'robot', name: 'alice' }), /no robot named "alice"/],
        ];
        for (const [wrong, message] of cases) {
          await assert.rejects(accounts().addGrant(wrong), conflict('unknown', message));
        }
        assert.deepEqual(await accounts().listGrants(), []);
      });

      it('has a pattern that can be read and ends after it begins', async () => {
        for (const pattern of ['', '!lab/**', 'a//b', 'A/**', "'; drop table grants; --"]) {
          const wrong = grant('reader', user('alice'), { pattern });
          await assert.rejects(accounts().addGrant(wrong), conflict('invalid'), pattern);
        }
        const backwards = grant('reader', user('alice'), { fromMs: 10, untilMs: 10 });
        await assert.rejects(accounts().addGrant(backwards), conflict('invalid'));
      });

      it('goes with its group', async () => {
        await accounts().addGrant(grant('reader', group('team')));
        await accounts().removeGroup('team');
        assert.deepEqual(await accounts().listGrants(), []);
        await accounts().addGroup({ id: 'g2', name: 'team' });
        assert.deepEqual(await accounts().listGrants(), []);
        await assert.rejects(accounts().addGroup({ id: 'g', name: 'other' }), conflict('taken'));
      });
    });

    describe('a group', () => {
      it('lists its members by name; joining and leaving twice is once', async () => {
        for (const name of ['bob', 'alice']) await accounts().addAccount(account(name));
        await accounts().addGroup({ id: 'g', name: 'team' });
        for (const name of ['bob', 'alice', 'bob']) await accounts().joinGroup('team', name);
        assert.deepEqual(await accounts().listGroups(), [
          { id: 'g', name: 'team', members: ['alice', 'bob'] },
        ]);
        await accounts().leaveGroup('team', 'bob');
        await accounts().leaveGroup('team', 'bob');
        assert.deepEqual((await accounts().listGroups())[0]?.members, ['alice']);
      });

      it('is refused when its name is taken or somebody is unknown', async () => {
        await accounts().addGroup({ id: 'g', name: 'team' });
        await accounts().addAccount(account('ci', { kind: 'robot' }));
        await assert.rejects(accounts().addGroup({ id: 'h', name: 'TEAM' }), conflict('taken'));
        await assert.rejects(accounts().joinGroup('team', 'ci'), conflict('unknown', /no user named "ci"/));
        await assert.rejects(
          accounts().joinGroup('none', 'ci'),
          conflict('unknown', /no group named "none"/),
        );
        await assert.rejects(accounts().leaveGroup('none', 'ci'), conflict('unknown'));
        await assert.rejects(accounts().removeGroup('none'), conflict('unknown'));
      });
    });

    describe('a role', () => {
      it('is there from the start when it is built in, and cannot be changed', async () => {
        const roles = await accounts().listRoles();
        for (const role of BUILT_IN_ROLES) {
          assert.deepEqual(
            roles.find(({ name }) => name === role.name),
            role,
          );
          await assert.rejects(
            accounts().putRole({ name: role.name, actions: ['pull'] }),
            conflict('built-in'),
          );
          await assert.rejects(accounts().removeRole(role.name), conflict('built-in'));
        }
        assert.equal(roles.length, BUILT_IN_ROLES.length);
      });

      it('of our own can be added, replaced and removed', async () => {
        await accounts().putRole({ name: 'scanner', actions: ['scan', 'scan', 'pull'] });
        const find = async () => (await accounts().listRoles()).find(({ name }) => name === 'scanner');
        assert.deepEqual(await find(), { name: 'scanner', actions: ['scan', 'pull'], isBuiltIn: false });
        await accounts().putRole({ name: 'scanner', actions: [] });
        assert.deepEqual((await find())?.actions, []);
        await accounts().removeRole('scanner');
        assert.equal(await find(), undefined);
        await assert.rejects(accounts().removeRole('scanner'), conflict('unknown'));
      });

      it('cannot be removed while it is granted', async () => {
        await accounts().addAccount(account('alice'));
        await accounts().putRole({ name: 'scanner', actions: ['scan'] });
        await accounts().addGrant(grant('scanner', user('alice')));
        await assert.rejects(accounts().removeRole('scanner'), conflict('in-use'));
        await accounts().removeGrant(grant('scanner', user('alice')));
        await accounts().removeRole('scanner');
      });

      it('gives only actions that there are', async () => {
        const wrong = JSON.parse('["pull","fly"]');
        await assert.rejects(
          accounts().putRole({ name: 'bird', actions: wrong }),
          conflict('invalid', /"fly"/),
        );
      });
    });

    describe('a grant given under the rights of its giver', () => {
      const mia = { kind: 'user', id: 'id-mia', name: 'mia' } as const;
      const to = (name: string, role = 'reader', pattern = 'team/app') =>
        grant(role, user(name), { pattern });
      beforeEach(async () => {
        await accounts().addAccount(account('mia'));
        await accounts().addAccount(account('bob'));
        await accounts().addGrant(grant('maintainer', user('mia'), { pattern: 'team/**' }));
      });

      it('says since when it is, and who gave it', async () => {
        await accounts().giveGrant(mia, to('bob'));
        const [given] = (await accessOf('id-bob')).grants;
        assert.deepEqual([given?.givenBy, given?.createdAtMs], ['mia', bench().clock.nowMs()]);
        const [own] = (await accessOf('id-mia')).grants;
        assert.deepEqual([own?.givenBy, own?.createdAtMs], [undefined, bench().clock.nowMs()]);
      });

      it('is never more than the giver holds at that moment', async () => {
        for (const [role, pattern] of [
          ['admin', '**'],
          ['reader', '**'],
          ['reader', 'team'],
          ['auditor', 'team/app'],
          ['nothing', 'other/app'],
        ] as const) {
          await assert.rejects(accounts().giveGrant(mia, to('bob', role, pattern)), conflict('beyond'));
          await assert.rejects(accounts().giveGrant(mia, to('mia', role, pattern)), conflict('beyond'));
        }
        await accounts().removeGrant(grant('maintainer', user('mia'), { pattern: 'team/**' }));
        await assert.rejects(accounts().giveGrant(mia, to('bob')), conflict('beyond'));
        assert.deepEqual((await accessOf('id-bob')).grants, []);
      });

      it('is not given by who is disabled, is gone, is over, or lost the group that gave the right', async () => {
        await accounts().addGroup({ id: 'g', name: 'leads' });
        await accounts().addGrant(grant('maintainer', group('leads'), { pattern: 'lab/**' }));
        await accounts().joinGroup('leads', 'bob');
        const bob = { kind: 'user', id: 'id-bob', name: 'bob' } as const;
        await accounts().giveGrant(bob, to('mia', 'reader', 'lab/x'));
        await accounts().leaveGroup('leads', 'bob');
        await assert.rejects(accounts().giveGrant(bob, to('mia', 'reader', 'lab/y')), conflict('beyond'));
        await accounts().setDisabled('id-mia', true, 5);
        await assert.rejects(accounts().giveGrant(mia, to('bob')), conflict('beyond'));
        const gone = { ...mia, id: 'id-nobody' };
        await assert.rejects(accounts().giveGrant(gone, to('bob')), conflict('beyond'));
        const over = account('ci', { kind: 'robot', expiresAtMs: bench().clock.nowMs() });
        await accounts().addAccount(over);
        const robot = { kind: 'robot', id: over.id, name: 'ci' } as const;
        await accounts().addGrant(grant('maintainer', { kind: 'robot', name: 'ci' }));
        await assert.rejects(accounts().giveGrant(robot, to('bob')), conflict('beyond'));
      });

      it('does not grow with its role when somebody else changes that', async () => {
        await accounts().putRole({ name: 'custom', actions: ['pull'] });
        await accounts().giveGrant(mia, to('bob', 'custom'));
        await accounts().addGrant(to('bob', 'custom', 'other/**'));
        await accounts().putRole({ name: 'custom', actions: ['pull', 'quarantine.read', 'users.manage'] });
        const byPattern = async (pattern: string) =>
          (await accessOf('id-bob')).grants.find((one) => one.pattern === pattern)?.actions;
        assert.deepEqual(await byPattern('team/app'), ['pull']);
        assert.deepEqual(await byPattern('other/**'), ['pull', 'quarantine.read', 'users.manage']);
        await accounts().putRole({ name: 'custom', actions: ['list', 'pull'] });
        assert.deepEqual(await byPattern('team/app'), ['pull']);
        await accounts().giveGrant(mia, to('bob', 'custom'));
        assert.deepEqual(await byPattern('team/app'), ['list', 'pull']);
        await accounts().putRole({ name: 'custom', actions: ['pull', 'delete'] });
        assert.deepEqual(await byPattern('team/app'), ['pull']);
        await accounts().addGrant(to('bob', 'custom'));
        assert.deepEqual(await byPattern('team/app'), ['pull', 'delete']);
        await accounts().putRole({ name: 'custom', actions: ['scan'] });
        await accounts().giveGrant(mia, to('bob', 'custom'));
        await accounts().putRole({ name: 'custom', actions: ['scan', 'system'] });
        assert.deepEqual(await byPattern('team/app'), ['scan', 'system'], 'given in full before');
      });

      it('is taken away only by who could have given it, denying ones by nobody who may not manage users', async () => {
        await accounts().addGrant(to('bob'));
        assert.equal(await accounts().takeGrant(mia, to('bob')), true);
        assert.equal(await accounts().takeGrant(mia, to('bob')), false);
        await accounts().addGrant(to('bob', 'reader', '**'));
        await assert.rejects(accounts().takeGrant(mia, to('bob', 'reader', '**')), conflict('beyond'));
        await accounts().addGrant({ ...to('mia'), effect: 'deny' });
        await assert.rejects(accounts().takeGrant(mia, to('mia')), conflict('beyond'));
        assert.equal((await accessOf('id-mia')).grants.length, 2);
      });
    });

    describe('what everybody may', () => {
      it('one may also who has signed in; what is denied to the anonymous is denied to them alone', async () => {
        await accounts().addAccount(account('alice'));
        const everybody = { kind: 'anonymous', name: '' } as const;
        await accounts().addGrant(grant('reader', everybody, { pattern: 'public/**' }));
        await accounts().addGrant(grant('reader', everybody, { pattern: 'staff/**', effect: 'deny' }));
        const patterns = ({ grants }: { readonly grants: readonly { readonly pattern: string }[] }) =>
          grants.map(({ pattern }) => pattern).toSorted();
        assert.deepEqual(patterns(await accessOf('id-alice')), ['public/**']);
        const anonymous = await accounts().readAccess({ kind: 'anonymous', id: '' });
        assert.deepEqual(anonymous && patterns(anonymous), ['public/**', 'staff/**']);
      });
    });

    describe('the last admin (W-07)', () => {
      const makeAdmin = async (name: string, overrides: Partial<NewGrant> = {}) => {
        await accounts().addAccount(account(name));
        await accounts().addGrant(grant('admin', user(name), overrides));
      };
      beforeEach(() => makeAdmin('alice'));

      it('can be neither removed, disabled nor degraded', async () => {
        await assert.rejects(accounts().removeAccount('id-alice'), conflict('last-admin'));
        await assert.rejects(accounts().setDisabled('id-alice', true, 9), conflict('last-admin'));
        await assert.rejects(accounts().removeGrant(grant('admin', user('alice'))), conflict('last-admin'));
        const denied = grant('auditor', user('alice'), { effect: 'deny' });
        await assert.rejects(accounts().addGrant(denied), conflict('last-admin'));
        const later = { ...denied, fromMs: bench().clock.nowMs() + HOUR_MS };
        await assert.rejects(accounts().addGrant(later), conflict('last-admin'));
        const access = await accessOf('id-alice');
        assert.equal(access.isActive, true);
        assert.equal(access.notBeforeMs, 0);
        assert.equal(access.grants.length, 1);
      });

      it('by a group goes neither with the membership nor with the group', async () => {
        await accounts().addAccount(account('bob'));
        await accounts().addGroup({ id: 'g', name: 'admins' });
        await accounts().joinGroup('admins', 'bob');
        await accounts().addGrant(grant('admin', group('admins')));
        await accounts().removeAccount('id-alice');
        await assert.rejects(accounts().leaveGroup('admins', 'bob'), conflict('last-admin'));
        await assert.rejects(accounts().removeGroup('admins'), conflict('last-admin'));
        await assert.rejects(accounts().removeAccount('id-bob'), conflict('last-admin'));
      });

      it('by a role of our own does not lose it by a change of the role', async () => {
        await accounts().addAccount(account('bob'));
        const actions = BUILT_IN_ROLES.find(({ name }) => name === 'admin')?.actions ?? [];
        await accounts().putRole({ name: 'root', actions });
        await accounts().addGrant(grant('root', user('bob')));
        await accounts().removeAccount('id-alice');
        await assert.rejects(accounts().putRole({ name: 'root', actions: ['pull'] }), conflict('last-admin'));
      });

      it('is not replaced by a robot, a disabled user, a grant that ends or begins later, or a part of the rights', async () => {
        await accounts().addAccount(account('ci', { kind: 'robot' }));
        await accounts().addGrant(grant('admin', { kind: 'robot', name: 'ci' }));
        await makeAdmin('bob');
        await accounts().setDisabled('id-bob', true, 1);
        await makeAdmin('carol', { untilMs: bench().clock.nowMs() + HOUR_MS });
        await makeAdmin('dave', { fromMs: bench().clock.nowMs() + HOUR_MS });
        await makeAdmin('erin', { pattern: 'team/**' });
        await accounts().addAccount(account('frank'));
        await accounts().addGrant(grant('auditor', user('frank')));
        await assert.rejects(accounts().removeAccount('id-alice'), conflict('last-admin'));
      });

      it('is one of two when both take the rights of each other at the same moment', async () => {
        await makeAdmin('bob');
        const results = await Promise.allSettled([
          accounts().removeGrant(grant('admin', user('alice'))),
          accounts().removeGrant(grant('admin', user('bob'))),
          accounts().setDisabled('id-alice', true, 1),
          accounts().removeAccount('id-bob'),
        ]);
        assert.ok(results.some(({ status }) => status === 'rejected'));
        const active = await Promise.all(
          ['id-alice', 'id-bob'].map((id) => accounts().readAccess({ kind: 'user', id })),
        );
        assert.equal(active.filter((access) => access?.isActive && access.grants.length > 0).length, 1);
      });

      it('does not hinder anything else', async () => {
        await accounts().addAccount(account('bob'));
        await accounts().addGrant(grant('developer', user('bob')));
        await accounts().setDisabled('id-bob', true, 1);
        await accounts().removeAccount('id-bob');
        await accounts().setSecret('id-alice', 'new', 9);
        await accounts().revokeTokens('id-alice', 10);
      });
    });

    describe('a write', () => {
      it('publishes what it changed before it resolves: one account by its id, everything else as a whole', async () => {
        const { changes } = bench();
        const expectChanges = async (work: Promise<unknown>, expected: readonly unknown[]) => {
          changes.length = 0;
          await work;
          assert.deepEqual(changes, expected);
        };
        const alice = [{ topic: 'access', key: 'id-alice' }];
        const all = [{ topic: 'access' }];
        await expectChanges(accounts().addAccount(account('alice')), alice);
        await expectChanges(accounts().setSecret('id-alice', 'x', 1), alice);
        await expectChanges(accounts().setDisabled('id-alice', false, 2), alice);
        await expectChanges(accounts().revokeTokens('id-alice', 3), alice);
        await expectChanges(accounts().addGroup({ id: 'g', name: 'team' }), all);
        await expectChanges(accounts().joinGroup('team', 'alice'), all);
        await expectChanges(accounts().addGrant(grant('reader', group('team'))), all);
        await expectChanges(accounts().removeGrant(grant('reader', group('team'))), all);
        await expectChanges(accounts().putRole({ name: 'r', actions: [] }), all);
        await expectChanges(accounts().removeRole('r'), all);
        await expectChanges(accounts().leaveGroup('team', 'alice'), all);
        await expectChanges(accounts().removeGroup('team'), all);
        await expectChanges(accounts().addRefreshToken(token('t', 'id-alice')), []);
        await expectChanges(accounts().touchRefreshToken('t', { atMs: 9, from: '' }), []);
        const life = { createdAtMs: 1, expiresAtMs: 2 };
        const pat = { id: 'p', accountId: 'id-alice', name: 'p', secretHash: 'h', allows: [], ...life };
        await expectChanges(accounts().addPersonalToken(pat), alice);
        await expectChanges(accounts().rotatePersonalToken('p', { secretHash: 'i', ...life }), alice);
        await expectChanges(accounts().touchPersonalToken('p', { atMs: 9, from: '' }), []);
        await expectChanges(accounts().removePersonalToken('p'), alice);
        await expectChanges(accounts().rotateSecret('id-alice', { secretHash: 'h' }), alice);
        await expectChanges(accounts().touchAccount('id-alice', { atMs: 9, from: '' }), []);
        await expectChanges(accounts().removeAccount('id-alice'), alice);
      });

      it('that is refused publishes nothing', async () => {
        await accounts().addAccount(account('alice'));
        bench().changes.length = 0;
        await assert.rejects(accounts().addAccount(account('alice', { id: 'x' })));
        await assert.rejects(accounts().addGrant(grant('emperor', user('alice'))));
        assert.deepEqual(bench().changes, []);
      });
    });

    describe('sign-ins of programs', () => {
      const waiting = (name: string, more: Partial<ProgramSignIn> = {}): ProgramSignIn => ({
        ...{ secretHash: `secret-${name}`, codeHash: `code-${name}` },
        ...{ source: '192.0.2.1', createdAtMs: 1000, untilMs: 2000, ...more },
      });

      it('are found by either secret, decided once, and taken once', async () => {
        await accounts().addAccount(account('alice'));
        assert.equal(await accounts().addProgramSignIn(waiting('a')), true);
        assert.deepEqual(await accounts().findProgramSignIn('code-a'), waiting('a'));
        assert.deepEqual(await accounts().takeProgramSignIn('secret-a', 1500), waiting('a'));
        const decision = { accountId: 'id-alice', atMs: 1500 };
        assert.equal(await accounts().decideProgramSignIn('code-a', decision), true);
        assert.equal(await accounts().decideProgramSignIn('code-a', { atMs: 1501 }), false);
        assert.deepEqual(await accounts().takeProgramSignIn('secret-a', 1600), waiting('a', { decision }));
        assert.equal(await accounts().takeProgramSignIn('secret-a', 1600), undefined);
      });

      it('cannot be decided when they are over, and go with whoever confirmed them', async () => {
        await accounts().addAccount(account('alice'));
        await accounts().addProgramSignIn(waiting('a'));
        assert.equal(
          await accounts().decideProgramSignIn('code-a', { accountId: 'id-alice', atMs: 2000 }),
          false,
        );
        await accounts().decideProgramSignIn('code-a', { accountId: 'id-alice', atMs: 1999 });
        await accounts().removeAccount('id-alice');
        assert.equal(await accounts().findProgramSignIn('code-a'), undefined);
      });

      it('C-16: are twenty of one address at once, those that are over not counted', async () => {
        for (let count = 0; count < 20; count += 1) {
          assert.equal(await accounts().addProgramSignIn(waiting(`${count}`)), true);
        }
        assert.equal(await accounts().addProgramSignIn(waiting('more')), false);
        assert.equal(await accounts().addProgramSignIn(waiting('other', { source: '192.0.2.2' })), true);
        const later = waiting('later', { createdAtMs: 2000, untilMs: 3000 });
        assert.equal(await accounts().addProgramSignIn(later), true);
      });
    });
  });
}
