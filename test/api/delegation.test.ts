import assert from 'node:assert/strict';
import { type ApiLab, openApiLab } from './lab.ts';

describe('a maintainer, in the API', () => {
  let lab: ApiLab;
  before(async () => {
    lab = await openApiLab();
    await lab.addUser('mia', ['maintainer', 'team/**']);
    await lab.addUser('bob');
  });
  after(() => lab.close());

  const body = (role: string, on: string, more: object = {}) => ({
    role,
    on,
    subject: { kind: 'user', name: 'bob' },
    ...more,
  });
  const give = (as: string, given: object) => lab.call('post', '/api/v1/grants', { as, body: given });
  const take = (as: string, given: object) => lab.call('post', '/api/v1/grants/remove', { as, body: given });
  const seen = async (as: string) => {
    const answer = await lab.call('get', '/api/v1/grants', { as });
    const grants: readonly { role: string; on: string; givenBy?: string }[] = answer.body.grants;
    return grants.map(({ role, on, givenBy = '-' }) => `${role} ${on} ${givenBy}`).toSorted();
  };

  it('gives and takes inside its pattern, and sees the grants there', async () => {
    assert.equal((await give('mia', body('developer', 'team/app'))).status, 201);
    assert.deepEqual(await seen('mia'), ['developer team/app mia', 'maintainer team/** -']);
    assert.deepEqual(await seen('bob'), ['developer team/app mia']);
    assert.deepEqual(lab.lastEntry()?.principal?.name, 'bob');
    assert.equal((await take('mia', body('developer', 'team/app'))).status, 200);
    assert.deepEqual(await seen('bob'), []);
    assert.ok((await seen('admin')).includes('admin ** -'));
  });

  for (const [what, given, message] of [
    ['outside its pattern', body('reader', 'other/app'), /roles\.manage on other\/app/],
    ['on a wider pattern', body('reader', '**'), /roles\.manage on/],
    ['over the installation', body('admin', '**'), /users\.manage/],
    ['that denies', body('reader', 'team/app', { effect: 'deny' }), /deny/],
    ['with a role that is not there, elsewhere', body('nothing', 'x'), /roles\.manage on x/],
  ] as const) {
    it(`C-12: gives no grant ${what}, and the refusal is recorded as one`, async () => {
      const answer = await give('mia', given);
      assert.deepEqual([answer.status, answer.body.error.code], [403, 'DG_DENIED']);
      assert.match(answer.body.error.message, message);
      const entries = lab.audit.entries.slice(-1);
      assert.deepEqual(
        entries.map(({ action, outcome, reason }) => [action, outcome, reason]),
        [['admin.grant.add', 'refused', 'DG_DENIED']],
      );
    });
  }

  it('takes nothing that it could not have given, and does not learn what is elsewhere', async () => {
    assert.equal((await give('admin', body('reader', 'other/app'))).status, 201);
    for (const role of ['reader', 'developer']) {
      const answer = await take('mia', body(role, 'other/app'));
      assert.match(answer.body.error.message, /^you do not hold roles\.manage on other\/app/);
      assert.equal(answer.status, 403);
    }
    assert.equal((await take('mia', body('reader', 'team/nothing'))).status, 404);
  });

  it('C-10: hands out nothing by a personal token, which may carry but a part of its rights', async () => {
    const body = { name: 'part', allows: [{ on: 'team/**', actions: ['pull', 'roles.manage'] }] };
    const made = await lab.call('post', '/api/v1/tokens', { as: 'mia', body });
    assert.equal(made.status, 201, made.text);
    const as = `Basic ${Buffer.from(`mia:${made.body.secret}`).toString('base64')}`;
    const given = { role: 'maintainer', on: 'team/app', subject: { kind: 'user', name: 'bob' } };
    const answer = await lab.call('post', '/api/v1/grants', { as, body: given });
    assert.deepEqual([answer.status, answer.body.error.code], [403, 'DG_DENIED']);
  });

  it('is refused by the store when its right went between the look and the change', async () => {
    lab.audit.state.onRecord = async ({ outcome }) => {
      if (outcome !== 'allowed') return;
      lab.audit.state.onRecord = async () => {};
      const subject = { kind: 'user', name: 'mia' } as const;
      await lab.store.accounts.removeGrant({ role: 'maintainer', pattern: 'team/**', subject });
    };
    const answer = await give('mia', body('reader', 'team/app'));
    assert.deepEqual([answer.status, answer.body.error.code], [403, 'DG_DENIED']);
    await lab.grant({ kind: 'user', name: 'mia' }, [['maintainer', 'team/**']]);
  });
});
