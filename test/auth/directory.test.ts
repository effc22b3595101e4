import assert from 'node:assert/strict';
import { type Access, createDirectory, type Identity, LOCAL_IDENTITY } from '../../src/auth/index.ts';
import { createLocalChanges, createManualClock } from '../../src/base/index.ts';
import { parseScopes, printScope } from '../../src/roles/index.ts';
import { grant, repository } from '../roles/fixtures.ts';
import { createHouse } from './fixtures.ts';

function identity(house: Awaited<ReturnType<typeof createHouse>>, more: Partial<Identity> = {}): Identity {
  return { principal: house.principal, via: 'basic', scopes: undefined, ...more };
}

describe('the directory', () => {
  it('T-22 stops a removed grant at the next question', async () => {
    const house = await createHouse();
    const { directory, accounts, ann } = house;
    accounts.grant(ann.id, grant({ role: 'reader', pattern: 'team/**' }));
    const ask = () => directory.can(identity(house), 'pull', repository('team/app'));
    assert.equal((await ask()).isAllowed, true);
    accounts.grant(ann.id);
    assert.deepEqual(await ask(), { isAllowed: false, lacks: 'grant' });
  });

  it('T-22 gives nothing to whoever is not active, whatever is granted', async () => {
    const house = await createHouse();
    const { directory, accounts, ann } = house;
    accounts.grant(ann.id, grant({ role: 'admin' }));
    accounts.change(ann.id, { isDisabled: true });
    assert.deepEqual(await directory.can(identity(house), 'system', undefined), {
      isAllowed: false,
      lacks: 'grant',
    });
    assert.equal(await directory.isLive(house.principal), false);
  });

  it('reads once for many questions and again after a change', async () => {
    const house = await createHouse();
    const { directory, accounts, ann } = house;
    const before = accounts.readCount();
    const ask = () => directory.accessOf(house.principal);
    await Promise.all([ask(), ask(), ask()]);
    await ask();
    assert.equal(accounts.readCount() - before, 1);
    accounts.grant(ann.id);
    await ask();
    assert.equal(accounts.readCount() - before, 2);
  });

  it('forgets all after a change of something it does not hold, such as a group', async () => {
    const { directory, accounts, changes, principal } = await createHouse();
    await directory.accessOf(principal);
    const before = accounts.readCount();
    changes.publish({ topic: 'access', key: 'group-1' });
    await directory.accessOf(principal);
    assert.equal(accounts.readCount() - before, 1);
  });

  it('keeps what it holds after a change of another principal that it holds', async () => {
    const { directory, accounts, principal, robot } = await createHouse();
    await directory.accessOf(principal);
    await directory.accessOf(robot);
    const before = accounts.readCount();
    accounts.grant(robot.id);
    await directory.accessOf(principal);
    assert.equal(accounts.readCount() - before, 0);
    await directory.accessOf(robot);
    assert.equal(accounts.readCount() - before, 1);
  });

  it('ignores changes of other topics', async () => {
    const { directory, accounts, changes, principal } = await createHouse();
    await directory.accessOf(principal);
    const before = accounts.readCount();
    changes.publish({ topic: 'policies' });
    await directory.accessOf(principal);
    assert.equal(accounts.readCount() - before, 0);
  });

  it('forgets all when the channel may have lost a change', async () => {
    const { directory, accounts, changes, principal } = await createHouse();
    await directory.accessOf(principal);
    const before = accounts.readCount();
    changes.lose();
    await directory.accessOf(principal);
    assert.equal(accounts.readCount() - before, 1);
  });

  for (const [lifetimeMs, bound] of [
    [2000, 2000],
    [Number.POSITIVE_INFINITY, 60_000],
  ] as const) {
    it(`holds nothing longer than ${bound} ms while the channel allows ${lifetimeMs}`, async () => {
      const clock = createManualClock();
      let readCount = 0;
      const accounts = {
        async readAccess() {
          readCount += 1;
          return { isActive: true, notBeforeMs: 0, grants: [] };
        },
      };
      const changes = { ...createLocalChanges(), lifetimeMsMax: () => lifetimeMs };
      const directory = createDirectory({ entriesMax: 10 }, { accounts, changes, clock });
      const ask = () => directory.accessOf({ kind: 'user', id: 'u' });
      await ask();
      clock.advance(bound - 1);
      await ask();
      assert.equal(readCount, 1);
      clock.advance(1);
      await ask();
      assert.equal(readCount, 2);
      directory.close();
    });
  }

  it('T-22 neither keeps nor shares a reading that began before a change', async () => {
    const changes = createLocalChanges();
    const answers: ((access: Access) => void)[] = [];
    const accounts = { readAccess: () => new Promise<Access>((resolve) => answers.push(resolve)) };
    const directory = createDirectory({ entriesMax: 10 }, { accounts, changes, clock: createManualClock() });
    const ask = () => directory.accessOf({ kind: 'user', id: 'u' });
    const old: Access = { isActive: true, notBeforeMs: 0, grants: [grant({ role: 'admin' })] };
    const fresh: Access = { isActive: true, notBeforeMs: 0, grants: [] };
    const before = ask();
    changes.publish({ topic: 'access', key: 'u' });
    const after = ask();
    answers[1]?.(fresh);
    answers[0]?.(old);
    assert.equal(await before, old);
    assert.equal(await after, fresh);
    assert.equal(await ask(), fresh);
    assert.equal(answers.length, 2);
  });

  it('fails closed when the accounts cannot be read, and does not remember it', async () => {
    let isAway = true;
    const accounts = {
      async readAccess(): Promise<Access> {
        if (isAway) throw new Error('the store is away');
        return { isActive: true, notBeforeMs: 0, grants: [grant({ role: 'reader' })] };
      },
    };
    const parts = { accounts, changes: createLocalChanges(), clock: createManualClock() };
    const directory = createDirectory({ entriesMax: 10 }, parts);
    const who: Identity = {
      principal: { kind: 'user', id: 'u', name: 'u' },
      via: 'basic',
      scopes: undefined,
    };
    await assert.rejects(directory.can(who, 'pull', repository('a')), /the store is away/);
    await assert.rejects(directory.isLive(who.principal), /the store is away/);
    isAway = false;
    assert.equal((await directory.can(who, 'pull', repository('a'))).isAllowed, true);
  });

  it('takes a principal that is not there any more for nobody', async () => {
    const { directory } = await createHouse();
    assert.deepEqual(await directory.accessOf({ kind: 'user', id: 'gone' }), {
      isActive: false,
      notBeforeMs: 0,
      grants: [],
    });
  });

  it('counts what was given from the millisecond of the revocation on', async () => {
    const { directory, accounts, ann, principal } = await createHouse();
    accounts.change(ann.id, { notBeforeMs: 5000 });
    assert.equal(await directory.isLive(principal, 4999), false);
    assert.equal(await directory.isLive(principal, 5000), true);
    assert.equal(await directory.isLive(principal), true);
  });

  it('T-18 narrows a new token to the grants, and gives none to a token', async () => {
    const house = await createHouse();
    const { directory, accounts, ann } = house;
    accounts.grant(ann.id, grant({ role: 'reader', pattern: 'pub/**' }));
    const asked = parseScopes(['repository:pub/app:pull,push repository:secret/app:pull']);
    assert.ok(asked.ok);
    const scopes = await directory.scopesFor(identity(house), asked.scopes);
    assert.deepEqual(scopes.map(printScope), ['repository:pub/app:pull']);
    assert.deepEqual(await directory.scopesFor(identity(house, { via: 'token', scopes }), asked.scopes), []);
  });

  it('T-15 lets a token do what both it and the grants hold', async () => {
    const house = await createHouse();
    const { directory, accounts, ann } = house;
    accounts.grant(ann.id, grant({ role: 'developer' }));
    const scopes = [{ type: 'repository', name: 'a', actions: ['pull'] }];
    const who = identity(house, { via: 'token', scopes });
    assert.equal((await directory.can(who, 'pull', repository('a'))).isAllowed, true);
    for (const [action, name] of [
      ['push', 'a'],
      ['pull', 'b'],
      ['delete', 'a'],
    ] as const) {
      assert.equal((await directory.can(who, action, repository(name))).isAllowed, false);
    }
  });

  it('T-30 says which repositories a caller may see, whatever names its token holds', async () => {
    const house = await createHouse();
    const { directory, accounts, ann } = house;
    const deny = grant({ role: 'reader', pattern: 'pub/secret', effect: 'deny' });
    accounts.grant(ann.id, grant({ role: 'reader', pattern: 'pub/**' }), deny);
    const scopes = [{ type: 'registry', name: 'catalog', actions: ['*'] }];
    const isVisible = await directory.visibleTo(identity(house, { via: 'token', scopes }));
    const names = ['pub/app', 'pub/secret', 'secret/app', 'pub'].filter((name) =>
      isVisible(repository(name)),
    );
    assert.deepEqual(names, ['pub/app']);
  });

  it('gives anonymous callers what is granted to anonymous', async () => {
    const { directory, accounts } = await createHouse();
    const subject = { kind: 'anonymous' as const, id: '', name: 'anonymous' };
    accounts.grant('', grant({ role: 'reader', pattern: 'public/**', subject }));
    const who: Identity = {
      principal: { kind: 'anonymous', id: '', name: 'anonymous' },
      via: 'anonymous',
      scopes: undefined,
    };
    assert.equal((await directory.can(who, 'pull', repository('public/app'))).isAllowed, true);
    assert.equal((await directory.can(who, 'pull', repository('team/app'))).isAllowed, false);
    assert.equal(await directory.isLive(who.principal, 0), true);
  });

  it('lets whoever holds the server socket do everything, without asking the accounts', async () => {
    const { directory, accounts } = await createHouse();
    const before = accounts.readCount();
    assert.equal((await directory.can(LOCAL_IDENTITY, 'users.manage', undefined)).isAllowed, true);
    assert.equal((await directory.visibleTo(LOCAL_IDENTITY))(repository('a')), true);
    assert.equal(await directory.isLive(LOCAL_IDENTITY.principal), true);
    assert.equal(accounts.readCount(), before);
  });

  it('hears no more changes once it is closed', async () => {
    const { directory, accounts, changes, principal } = await createHouse();
    await directory.accessOf(principal);
    directory.close();
    const before = accounts.readCount();
    changes.publish({ topic: 'access' });
    await directory.accessOf(principal);
    assert.equal(accounts.readCount(), before);
  });
});
