import assert from 'node:assert/strict';
import type { ExternalPerson } from '../../src/auth/index.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/base/index.ts';
import { basic } from '../auth/fixtures.ts';
import { type ApiLab, openApiLab, PASSWORD } from './lab.ts';

const LIFETIME_MS = 24 * HOUR_MS;

/** Another directory, whose people a test changes. */
function createPeople() {
  const people = new Map<string, ExternalPerson>();
  const state = { isAway: false, askedCount: 0 };
  return {
    people,
    state,
    directory: {
      name: 'ldap',
      async prove(name: string, password: string) {
        state.askedCount += 1;
        if (state.isAway) throw new Error('away');
        return password === PASSWORD ? people.get(name) : undefined;
      },
    },
  };
}

describe('a person of another directory', () => {
  let lab: ApiLab;
  let other: ReturnType<typeof createPeople>;
  beforeEach(async () => {
    other = createPeople();
    lab = await openApiLab(undefined, { external: { directory: other.directory, lifetimeMs: LIFETIME_MS } });
    other.people.set('carol', { subject: 'uuid-1', groups: ['Crew', 'unknown-here'] });
    for (const name of ['crew', 'local-crew']) await lab.call('post', '/api/v1/groups', { body: { name } });
    await lab.grant({ kind: 'group', name: 'crew' }, [['developer', 'team/**']]);
    await lab.grant({ kind: 'group', name: 'local-crew' }, [['reader', 'pub/**']]);
  });
  afterEach(() => lab.close());

  const token = (query = 'scope=repository:team/app:pull', as = basic('carol', PASSWORD)) =>
    lab.call('get', `/token?${query}`, { as });
  const user = async () => (await lab.store.accounts.findAccountByName('user', 'carol')) ?? assert.fail();

  it('gets an account with the first sign-in, in the groups of the same names that there are', async () => {
    const { status, body } = await token();
    assert.deepEqual([status, body.scope], [200, 'repository:team/app:pull']);
    const groups = (await lab.call('get', '/api/v1/groups')).body.groups;
    assert.deepEqual(
      groups.map((group: { members: string[] }) => group.members),
      [['carol'], []],
    );
  });

  it('is asked for there again when what was right is five minutes old', async () => {
    await token();
    await token();
    assert.equal(other.state.askedCount, 1);
    lab.clock.advance(5 * MINUTE_MS);
    await token();
    assert.equal(other.state.askedCount, 2);
  });

  it('T-23: loses the rights of a group with the next sign-in there, keeping what was said here', async () => {
    await token();
    await lab.call('put', '/api/v1/groups/local-crew/members/carol');
    other.people.set('carol', { subject: 'uuid-1', groups: [] });
    lab.clock.advance(5 * MINUTE_MS);
    const { body } = await token('scope=repository:team/app:pull&scope=repository:pub/app:pull');
    assert.equal(body.scope, 'repository:pub/app:pull');
  });

  it('T-23: loses everything, sessions and tokens too, when the last proof is as old as is allowed', async () => {
    const { body } = await token('offline_token=true');
    const session = `Bearer ${body.refresh_token}`;
    const made = await lab.call('post', '/api/v1/tokens', { as: session, body: { name: 'ci' } });
    const ci = basic('carol', made.body.secret);
    lab.clock.advance(LIFETIME_MS - 1);
    for (const as of [session, ci]) assert.equal((await lab.call('get', '/api/v1/me', { as })).status, 200);
    lab.clock.advance(1);
    for (const as of [session, ci]) assert.equal((await lab.call('get', '/api/v1/me', { as })).status, 401);
    assert.equal((await token()).status, 200, 'until signed in there again');
    assert.equal((await lab.call('get', '/api/v1/me', { as: ci })).status, 200);
  });

  it('is not let in while the directory is away, and this is no wrong password', async () => {
    other.state.isAway = true;
    const { status, body } = await token();
    assert.equal(status, 503);
    assert.match(body.errors[0].message, /the directory that knows your password does not answer/);
    other.state.isAway = false;
    assert.equal((await token()).status, 200);
  });

  it('never gets the account of a local user of the name, nor does the directory see that password', async () => {
    await lab.addUser('dave', ['reader', 'pub/**']);
    other.people.set('dave', { subject: 'uuid-9', groups: ['crew'] });
    assert.equal((await token('', basic('dave', PASSWORD))).status, 200);
    assert.equal(other.state.askedCount, 0);
    assert.equal((await token('', basic('dave', 'wrong-horse-battery-9'))).status, 401);
    assert.equal(other.state.askedCount, 0);
  });

  it('C-15: is another one when the name returns with another subject', async () => {
    await token();
    other.people.set('carol', { subject: 'uuid-2', groups: ['crew'] });
    lab.clock.advance(5 * MINUTE_MS);
    assert.equal((await token()).status, 401);
    assert.equal(lab.lastEntry()?.reason, 'sign-in.name-taken');
  });

  it('has no password here, and is shut out here as anybody', async () => {
    await token();
    assert.equal((await user()).secretHash, 'external:ldap');
    const body = { password: `${PASSWORD}-new` };
    const own = { oldPassword: PASSWORD, ...body };
    const as = basic('carol', PASSWORD);
    assert.equal((await lab.call('put', '/api/v1/users/carol/password', { body })).status, 409);
    assert.equal((await lab.call('put', '/api/v1/me/password', { as, body: own })).status, 409);
    await lab.call('post', '/api/v1/users/carol/disable');
    assert.equal((await token()).status, 401);
    assert.equal(lab.lastEntry()?.reason, 'sign-in.inactive');
  });

  it('C-01: is guessed at no faster than others', async () => {
    let status = 401;
    for (let guess = 0; guess < 20 && status === 401; guess += 1) {
      status = (await token('', basic('carol', `wrong-${guess}`))).status;
    }
    assert.equal(status, 429);
  });
});
