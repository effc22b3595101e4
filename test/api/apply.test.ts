import assert from 'node:assert/strict';
import { type ApiLab, openApiLab, PASSWORD } from './lab.ts';

interface Planned {
  readonly do: string;
  readonly what: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

describe('access as a document', () => {
  let lab: ApiLab;
  beforeEach(async () => {
    lab = await openApiLab();
    await lab.addUser('ann', ['reader', 'team/**']);
    await lab.addUser('bob');
    await lab.addRobot('ci', ['developer', 'team/app']);
    await lab.store.accounts.addGroup({ id: 'g', name: 'crew' });
    await lab.store.accounts.joinGroup('crew', 'ann');
    await lab.store.accounts.putRole({ name: 'puller', actions: ['pull'] });
  });
  afterEach(() => lab.close());

  const exported = async () => (await lab.call('get', '/api/v1/access/document')).body;
  const apply = async (document: object, more: object = {}) => {
    const { status, body } = await lab.call('post', '/api/v1/access/apply', { body: { document, ...more } });
    const changes: readonly Planned[] = body.changes ?? [];
    return { status, body, done: changes.map(({ do: verb, what }) => `${verb} ${what}`) };
  };

  it('exported and applied again changes nothing, and holds no secret', async () => {
    const document = await exported();
    assert.deepEqual((await apply(document, { isPruning: true })).body, { isApplied: false, changes: [] });
    assert.doesNotMatch(JSON.stringify(document), /argon2|sha256|secret/i);
    assert.deepEqual(document.groups, [{ name: 'crew', members: ['ann'] }]);
    assert.deepEqual(document.roles, [{ name: 'puller', actions: ['pull'] }]);
    assert.ok(document.grants.some((one: { to: object }) => JSON.stringify(one.to) === '{"robot":"ci"}'));
  });

  const WANTED = {
    version: 1,
    users: [{ name: 'admin' }, { name: 'ann', disabled: true }, { name: 'carol' }],
    groups: [
      { name: 'crew', members: ['carol'] },
      { name: 'leads', members: ['ann'] },
    ],
    roles: [{ name: 'puller', actions: ['pull', 'list'] }],
    grants: [
      { role: 'admin', on: '**', to: { user: 'admin' } },
      { role: 'puller', on: 'team/**', to: { group: 'leads' }, until: '2036-01-01T00:00:00Z' },
      { role: 'reader', on: 'public/**', to: 'anonymous' },
      { role: 'reader', on: 'team/x', to: { user: 'carol' }, effect: 'deny' },
    ],
  };
  const ADDED = [
    'role.put role puller',
    'account.disable user ann',
    'account.add user carol',
    'group.join group crew: member carol',
    'group.add group leads',
    'group.join group leads: member ann',
    'grant.add grant: allow puller on team/** to group leads',
    'grant.add grant: allow reader on public/** to anonymous',
    'grant.add grant: deny reader on team/x to user carol',
  ];
  const REMOVED = [
    'grant.remove grant: allow developer on team/app to robot ci',
    'grant.remove grant: allow reader on team/** to user ann',
    'group.leave group crew: member ann',
    'account.remove user bob',
  ];

  it('says what would change and changes nothing, then changes exactly that', async () => {
    const before = await exported();
    const plan = await apply(WANTED, { isDryRun: true, isPruning: true });
    assert.deepEqual(plan.done.toSorted(), [...ADDED, ...REMOVED].toSorted());
    assert.deepEqual(await exported(), before);
    const made = await apply(WANTED, { isPruning: true });
    assert.deepEqual([made.body.isApplied, made.done], [true, plan.done]);
    assert.deepEqual((await apply(WANTED, { isPruning: true })).done, []);
    const after = await exported();
    assert.deepEqual(after.users, WANTED.users);
    assert.deepEqual(after.robots, before.robots, 'a list that the document does not have is left alone');
    assert.equal(after.grants.length, 4);
  });

  it('removes nothing unless it is told to', async () => {
    assert.deepEqual((await apply(WANTED)).done, ADDED);
    assert.equal((await exported()).grants.length, 6);
  });

  it('records each change with before and after, before it is made', async () => {
    const seen: (readonly unknown[])[] = [];
    lab.audit.state.onRecord = async ({ note, change }) => {
      const { roles } = await exportedFromStore();
      seen.push([note, change, roles]);
    };
    const exportedFromStore = async () => ({
      roles: (await lab.store.accounts.listRoles()).find(({ name }) => name === 'puller')?.actions,
    });
    await apply({ version: 1, roles: [{ name: 'puller', actions: ['pull', 'list'] }] });
    assert.deepEqual(seen, [
      ['apply', undefined, ['pull']],
      [
        'role.put role puller',
        { before: { actions: ['pull'] }, after: { actions: ['pull', 'list'] } },
        ['pull'],
      ],
    ]);
    lab.audit.state.onRecord = async () => {
      lab.audit.state.isWritable = false;
    };
    assert.equal((await apply({ version: 1, roles: [{ name: 'puller', actions: [] }] })).status, 503);
    assert.deepEqual((await exportedFromStore()).roles, ['pull', 'list']);
  });

  it('adds accounts that cannot sign in before they have a password or a secret', async () => {
    await apply({ version: 1, users: [{ name: 'dora' }], robots: [{ name: 'job' }] });
    for (const secret of ['none', '', PASSWORD]) {
      const as = `Basic ${Buffer.from(`dora:${secret}`).toString('base64')}`;
      assert.equal((await lab.call('get', '/api/v1/me', { as })).status, 401);
    }
    const body = { password: PASSWORD };
    assert.equal((await lab.call('put', '/api/v1/users/dora/password', { body })).status, 200);
    assert.equal((await lab.call('get', '/api/v1/me', { as: 'dora' })).status, 200);
  });

  for (const [what, document, status, message] of [
    ['the caller', { users: [{ name: 'ann' }] }, 409, /would remove user admin, which is you/],
    ['the caller by disabling it', { users: [{ name: 'admin', disabled: true }] }, 409, /which is you/],
    ['the last admin', { grants: [] }, 409, /no user who may administer/],
    ['a role that is granted', { roles: [], groups: [] }, 200, undefined],
    ['a built-in role', { roles: [{ name: 'reader', actions: [] }] }, 409, /built in/],
    [
      'a grant to nobody',
      { grants: [{ role: 'reader', on: 'a', to: { user: 'zed' } }] },
      404,
      /no user named/,
    ],
    ['a member that is not there', { groups: [{ name: 'crew', members: ['zed'] }] }, 404, /no user named/],
    ['a name given twice', { users: [{ name: 'ann' }, { name: 'ann' }] }, 400, /user ann twice/],
    ['an unknown list', { people: [] }, 400, /people/],
    ['a malformed pattern', { grants: [{ role: 'reader', on: 'A', to: 'anonymous' }] }, 400, /pattern/],
    ['an unknown version', { version: 2 }, 400, /version/],
    ['a secret', { users: [{ name: 'ann', password: 'x' }] }, 400, /password/],
  ] as const) {
    it(`W-07, W-17: with removals answers ${status} about ${what}, and changes all or nothing`, async () => {
      const before = await exported();
      const { status: answered, body } = await apply({ version: 1, ...document }, { isPruning: true });
      assert.equal(answered, status, JSON.stringify(body));
      if (message === undefined) return;
      assert.match(body.error.message, message);
      assert.deepEqual(await exported(), before);
      assert.equal(lab.lastEntry()?.outcome, 'allowed');
      assert.equal(lab.audit.entries.at(-2)?.outcome, 'refused');
    });
  }
});
