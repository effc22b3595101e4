import assert from 'node:assert/strict';
import { type ApiLab, openApiLab, PASSWORD } from './lab.ts';

describe('what somebody may do to the own account', () => {
  let lab: ApiLab;
  before(async () => {
    lab = await openApiLab();
    await lab.addUser('alice', ['developer', 'team/**']);
    await lab.addUser('bob', ['reader', '**']);
  });
  after(() => lab.close());

  const NEW = `${PASSWORD}-new`;
  const refused: readonly (readonly [
    what: string,
    method: 'put' | 'post' | 'delete',
    path: string,
    body?: object,
  ])[] = [
    ['a password of somebody else', 'put', '/users/bob/password', { password: NEW }],
    ['an account', 'post', '/users', { name: 'eve', password: NEW }],
    ['a role', 'put', '/roles/mine', { actions: ['system'] }],
    ['the own group', 'put', '/groups/admins/members/alice'],
    [
      'an own grant',
      'post',
      '/grants',
      { role: 'admin', on: '**', subject: { kind: 'user', name: 'alice' } },
    ],
    ['the end of a second factor of somebody else', 'delete', '/users/bob/second-factor'],
    ['a session of somebody else', 'delete', '/users/bob/tokens/any'],
  ];
  for (const [what, method, path, body] of refused) {
    it(`C-12: is not ${what}`, async () => {
      const given = body === undefined ? {} : { body };
      const { status } = await lab.call(method, `/api/v1${path}`, { as: 'alice', ...given });
      assert.equal(status, 403);
      assert.equal(lab.lastEntry()?.outcome, 'refused');
    });
  }

  const surplus = [
    { is_admin: true },
    { isAdmin: true },
    { role: 'admin' },
    { name: 'bob' },
    { quota: 1e12 },
  ];
  for (const more of surplus) {
    it(`C-12: is the own password alone, with nothing beside it: ${JSON.stringify(more)}`, async () => {
      const body = { oldPassword: PASSWORD, password: NEW, ...more };
      const answer = await lab.call('put', '/api/v1/me/password', { as: 'alice', body });
      assert.equal(answer.status, 400);
      assert.equal(
        (await lab.call('get', '/api/v1/me', { as: 'alice' })).status,
        200,
        'the password of before',
      );
    });
  }

  it('C-12: gives a token of its own nothing that its owner has not', async () => {
    const body = { name: 'all', allows: [{ actions: ['system', 'users.manage'], on: '**' }] };
    const { body: made } = await lab.call('post', '/api/v1/tokens', { as: 'alice', body });
    const as = `Basic ${Buffer.from(`alice:${made.secret}`).toString('base64')}`;
    for (const path of ['/api/v1/users', '/api/v1/status']) {
      assert.equal((await lab.call('get', path, { as })).status, 403);
    }
  });

  it('C-14: no address sets a password by a link, and none is sent', async () => {
    const { paths } = (await lab.call('get', '/api/v1/openapi.json', { as: '' })).body;
    assert.deepEqual(
      Object.keys(paths).filter((path) => /reset|invite|forgot|recover|verify-email/.test(path)),
      [],
    );
    for (const path of ['/login/reset?token=x', '/login/invite', '/password/reset']) {
      assert.equal((await lab.call('get', path, { as: '' })).status, 404);
    }
  });
});
