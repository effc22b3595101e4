import assert from 'node:assert/strict';
import { type ApiLab, openApiLab } from './lab.ts';

const WAIVER = {
  rule: 'age',
  on: 'team/**',
  reason: 'frozen until the rewrite',
  ticket: 'OPS-7',
  endsAt: '2026-06-01T00:00:00.000Z',
};

describe('waivers and their approval', () => {
  let lab: ApiLab;

  before(async () => {
    lab = await openApiLab();
    await lab.addUser('ann', ['admin', '**']);
    await lab.addUser('bob', ['admin', '**']);
  });
  after(() => lab.close());

  const add = (body: object) => lab.call('post', '/api/v1/waivers', { as: 'ann', body });

  it('need a second person', async () => {
    const { body: added } = await add(WAIVER);
    const path = `/api/v1/waivers/${added.id}/approval`;
    const own = await lab.call('post', path, { as: 'ann' });
    assert.deepEqual([own.status, own.body.error.code], [403, 'DG_WAIVER_OWN']);
    const list = async () => (await lab.call('get', '/api/v1/waivers', { as: 'ann' })).body.waivers[0];
    assert.equal((await list()).approvedBy, undefined);
    assert.equal((await lab.call('post', path, { as: 'bob' })).status, 200);
    assert.deepEqual(await list(), { id: added.id, ...WAIVER, author: 'ann', approvedBy: 'bob' });
  });

  it('are for a finding or a rule that can be waived', async () => {
    const { rule: _, ...plain } = WAIVER;
    for (const body of [
      plain,
      { ...WAIVER, finding: 'CVE-1' },
      { ...WAIVER, rule: 'denied' },
      { ...WAIVER, rule: 'x' },
    ]) {
      const refused = await add(body);
      assert.deepEqual(
        [refused.status, refused.body.error.code],
        [400, 'DG_INPUT_INVALID'],
        JSON.stringify(body),
      );
    }
  });
});

describe('the versions of a policy', () => {
  let lab: ApiLab;
  before(async () => {
    lab = await openApiLab();
    await lab.addUser('ann', ['admin', '**']);
  });
  after(() => lab.close());

  it('can be listed and brought back, but not a removal', async () => {
    const policy = (mode: string) => ({
      policies: [{ name: 'p', match: ['**'], mode, rules: { secrets: 'block' } }],
    });
    for (const mode of ['enforce', 'warn']) {
      await lab.call('put', '/api/v1/policies', { as: 'ann', body: policy(mode) });
    }
    await lab.call('delete', '/api/v1/policies/p', { as: 'ann' });
    const versions = async () =>
      (await lab.call('get', '/api/v1/policies/p/versions', { as: 'ann' })).body.versions;
    assert.deepEqual(
      (await versions()).map((one: { version: number; author: string; policy?: { mode: string } }) => [
        one.version,
        one.author,
        one.policy?.mode,
      ]),
      [
        [3, 'ann', undefined],
        [2, 'ann', 'warn'],
        [1, 'ann', 'enforce'],
      ],
    );
    const restore = (version: number) =>
      lab.call('post', `/api/v1/policies/p/versions/${version}/restore`, { as: 'ann' });
    const removal = await restore(3);
    assert.deepEqual([removal.status, removal.body.error.code], [404, 'DG_POLICY_UNKNOWN']);
    assert.match(removal.body.error.message, /is its removal/);
    assert.equal((await restore(1)).status, 200);
    assert.equal((await versions())[0].policy.mode, 'enforce');
  });
});
