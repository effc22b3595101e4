import assert from 'node:assert/strict';
import { policyOf } from '../policy/fixtures.ts';
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

describe('waivers from an OpenVEX document', () => {
  const DIGEST = `sha256:${'a'.repeat(64)}`;
  const DOCUMENT = {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': 'https://corp.test/vex/1',
    author: 'security@corp.test',
    timestamp: '2026-01-01T00:00:00Z',
    statements: [
      {
        vulnerability: { name: 'CVE-1' },
        products: [
          { '@id': `pkg:oci/app@${DIGEST}`, subcomponents: ['pkg:deb/debian/openssl@3'] },
          { '@id': 'pkg:oci/app' },
        ],
        status: 'not_affected',
        justification: 'component_not_present',
      },
    ],
  };
  const BODY = { document: JSON.stringify(DOCUMENT), ticket: 'SEC-1', endsAt: WAIVER.endsAt };
  let lab: ApiLab;
  before(async () => {
    lab = await openApiLab();
    await lab.addUser('ann', ['admin', '**']);
    await lab.addUser('dev', ['maintainer', '**']);
  });
  after(() => lab.close());

  const post = (body: object, as = 'ann') => lab.call('post', '/api/v1/vex-documents', { as, body });

  it('are added once, by who imports it and until the date that it says', async () => {
    const { status, body } = await post(BODY);
    assert.deepEqual([status, body.ids.length, body.known, body.unnamed], [201, 1, 0, 1]);
    const { waivers } = (await lab.call('get', '/api/v1/waivers', { as: 'ann' })).body;
    assert.deepEqual(waivers, [
      {
        id: body.ids[0],
        finding: 'CVE-1',
        package: 'openssl@3',
        digest: DIGEST,
        reason: 'VEX https://corp.test/vex/1 by security@corp.test: not_affected, component_not_present',
        ticket: 'SEC-1',
        author: 'ann',
        endsAt: WAIVER.endsAt,
      },
    ]);
    assert.deepEqual((await post(BODY)).body, { ids: [], known: 1, unnamed: 1 });
    assert.equal((await post({ ...BODY, on: 'team/**' })).body.ids.length, 1);
  });

  it('need the right to add waivers, a document and a date to come', async () => {
    assert.equal((await post(BODY, 'dev')).status, 403);
    for (const [body, problem] of [
      [{ ...BODY, document: '{}' }, /document: @context/],
      [{ ...BODY, endsAt: '2001-01-01T00:00:00.000Z' }, /endsAt: lies in the past/],
      [{ ...BODY, on: 'a b' }, /on/],
    ] as const) {
      const refused = await post(body);
      assert.deepEqual([refused.status, refused.body.error.code], [400, 'DG_INPUT_INVALID']);
      assert.match(JSON.stringify(refused.body.error), problem);
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

  it('are not made where a rule asks for a signer that the configuration does not know', async () => {
    const signed = (by: string) => ({
      policies: [{ name: 'signed', match: ['**'], rules: { signatures: { by: [by] } } }],
    });
    const put = (by: string) => lab.call('put', '/api/v1/policies', { as: 'ann', body: signed(by) });
    const refused = await put('relaese');
    assert.deepEqual([refused.status, refused.body.error.code], [400, 'DG_SIGNER_UNKNOWN']);
    assert.match(
      refused.body.error.message,
      /^policies\[0\]\.rules\.signatures\.by\[0\]: .* there are release$/,
    );
    assert.equal((await put('release')).status, 200);
    // As one that was applied before the signer was taken out of the configuration.
    const gone = policyOf({ signatures: { by: ['gone'] } }, { name: 'signed' });
    await lab.store.facts.putPolicy(gone, 'api');
    await lab.store.facts.putPolicy({ ...gone, mode: 'off' }, 'api');
    const restored = await lab.call('post', '/api/v1/policies/signed/versions/2/restore', { as: 'ann' });
    assert.deepEqual([restored.status, restored.body.error.code], [400, 'DG_SIGNER_UNKNOWN']);
  });
});
