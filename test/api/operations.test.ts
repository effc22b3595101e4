import assert from 'node:assert/strict';
import { digestOf } from '../contracts/store-bench.ts';
import { cycloneDxReport } from '../scanners/reports/samples.ts';
import { type ApiLab, CONFIG, openApiLab, PASSWORD } from './lab.ts';

interface Example {
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'delete';
  readonly path: string;
  readonly body?: object;
  readonly status: number;
  /** The role, on `**`, that is enough; absent: everyone who is signed in. */
  readonly role?: string;
  /** Who makes the call that succeeds, where it must not be the one who made the calls before. */
  readonly by?: string;
  /** What the answer is of a call that names nobody or nothing there is. */
  readonly unknown?: { readonly path?: string; readonly body?: object; readonly status: number };
}

const SBOM = cycloneDxReport({ manifest: digestOf('team/app:1'), config: CONFIG });

const POLICY = { name: 'p', match: ['**'], rules: { secrets: 'block' } };
const GRANT = { role: 'reader', on: 'team/**', subject: { kind: 'user', name: 'bob' } };
const DIGEST = `sha256:${'ab'.repeat(32)}`;
const VEX = JSON.stringify({
  '@context': 'https://openvex.dev/ns/v0.2.0',
  '@id': 'https://corp.test/vex/1',
  author: 'security@corp.test',
  timestamp: '2026-01-01T00:00:00Z',
  statements: [],
});
const WAIVER = {
  finding: 'CVE-1',
  on: 'team/**',
  reason: 'not reachable',
  endsAt: '2026-06-01T00:00:00.000Z',
};

/** One call of each operation that succeeds, in an order in which each finds what it needs. */
const EXAMPLES: readonly Example[] = [
  { id: 'user.list', method: 'get', path: '/users', status: 200, role: 'admin' },
  {
    ...{ id: 'user.add', method: 'post', path: '/users', status: 201, role: 'admin' },
    body: { name: 'bob', password: PASSWORD },
    unknown: { body: { name: 'admin', password: PASSWORD }, status: 409 },
  },
  {
    ...{ id: 'user.passwd', method: 'put', path: '/users/bob/password', status: 200, role: 'admin' },
    body: { password: PASSWORD },
    unknown: { path: '/users/nobody/password', body: { password: PASSWORD }, status: 404 },
  },
  ...['disable', 'enable', 'revoke'].map(
    (verb): Example => ({
      ...{ id: `user.${verb}`, method: 'post', path: `/users/bob/${verb}`, status: 200, role: 'admin' },
      unknown: { path: `/users/nobody/${verb}`, status: 404 },
    }),
  ),
  { id: 'group.list', method: 'get', path: '/groups', status: 200, role: 'admin' },
  {
    ...{ id: 'group.add', method: 'post', path: '/groups', status: 201, role: 'admin' },
    body: { name: 'crew' },
    unknown: { body: { name: 'crew' }, status: 409 },
  },
  {
    ...{ id: 'group.join', method: 'put', path: '/groups/crew/members/bob', status: 200, role: 'admin' },
    unknown: { path: '/groups/crew/members/nobody', status: 404 },
  },
  {
    ...{ id: 'group.leave', method: 'delete', path: '/groups/crew/members/bob', status: 200, role: 'admin' },
    unknown: { path: '/groups/nothing/members/bob', status: 404 },
  },
  {
    ...{ id: 'group.remove', method: 'delete', path: '/groups/crew', status: 200, role: 'admin' },
    unknown: { path: '/groups/crew', status: 404 },
  },
  { id: 'robot.list', method: 'get', path: '/robots', status: 200, role: 'admin' },
  {
    ...{ id: 'robot.add', method: 'post', path: '/robots', status: 201, role: 'admin' },
    body: { name: 'ci', expires: '30d' },
    unknown: { body: { name: 'ci' }, status: 409 },
  },
  {
    ...{ id: 'robot.rotate', method: 'post', path: '/robots/ci/rotate', status: 200, role: 'admin' },
    unknown: { path: '/robots/nothing/rotate', status: 404 },
  },
  ...['disable', 'enable'].map(
    (verb): Example => ({
      ...{ id: `robot.${verb}`, method: 'post', path: `/robots/ci/${verb}`, status: 200, role: 'admin' },
      unknown: { path: `/robots/nothing/${verb}`, status: 404 },
    }),
  ),
  {
    ...{ id: 'robot.remove', method: 'delete', path: '/robots/ci', status: 200, role: 'admin' },
    unknown: { path: '/robots/ci', status: 404 },
  },
  { id: 'role.list', method: 'get', path: '/roles', status: 200 },
  {
    ...{ id: 'role.put', method: 'put', path: '/roles/puller', status: 200, role: 'admin' },
    body: { actions: ['pull'] },
    unknown: { path: '/roles/admin', body: { actions: ['pull'] }, status: 409 },
  },
  {
    ...{ id: 'role.remove', method: 'delete', path: '/roles/puller', status: 200, role: 'admin' },
    unknown: { path: '/roles/puller', status: 404 },
  },
  { id: 'grant.list', method: 'get', path: '/grants', status: 200 },
  {
    ...{ id: 'grant.add', method: 'post', path: '/grants', body: GRANT, status: 201, role: 'maintainer' },
    unknown: { body: { ...GRANT, role: 'nothing' }, status: 404 },
  },
  {
    ...{
      id: 'grant.remove',
      method: 'post',
      path: '/grants/remove',
      body: GRANT,
      status: 200,
      role: 'maintainer',
    },
    unknown: { body: GRANT, status: 404 },
  },
  {
    ...{ id: 'user.remove', method: 'delete', path: '/users/bob', status: 200, role: 'admin' },
    unknown: { path: '/users/bob', status: 404 },
  },
  {
    ...{ id: 'access.who-can', method: 'get', status: 200, role: 'maintainer' },
    path: '/access/who-can?action=pull&repository=team%2Fapp',
    unknown: { path: '/access/who-can?action=fly&repository=team%2Fapp', status: 400 },
  },
  { id: 'access.review', method: 'get', path: '/access/review?days=30', status: 200, role: 'admin' },
  { id: 'access.export', method: 'get', path: '/access/document', status: 200, role: 'admin' },
  {
    ...{ id: 'access.apply', method: 'post', path: '/access/apply', status: 200, role: 'admin' },
    body: { document: { version: 1 }, isDryRun: true },
    unknown: { body: { document: { version: 1, users: [{ name: 'x' }, { name: 'x' }] } }, status: 400 },
  },
  { id: 'repository.list', method: 'get', path: '/repositories', status: 200 },
  { id: 'image.list', method: 'get', path: '/images?repository=team%2Fapp', status: 200, role: 'reader' },
  {
    ...{ id: 'image.show', method: 'get', status: 200, role: 'auditor' },
    path: '/image?repository=team%2Fapp&reference=1',
    unknown: { path: '/image?repository=team%2Fapp&reference=2', status: 404 },
  },
  {
    ...{ id: 'image.scan', method: 'post', path: '/image/scan', status: 202, role: 'developer' },
    body: { repository: 'team/app', reference: '1' },
    unknown: { body: { repository: 'team/nothing', reference: '1' }, status: 404 },
  },
  {
    ...{ id: 'scan.push', method: 'post', path: '/image/reports', status: 201, role: 'developer' },
    body: { repository: 'team/app', reference: '1', report: JSON.stringify(SBOM) },
    unknown: { body: { repository: 'team/nothing', reference: '1', report: '{}' }, status: 404 },
  },
  {
    ...{ id: 'image.sbom', method: 'get', status: 200, role: 'auditor' },
    path: '/image/sbom?repository=team%2Fapp&reference=1',
    unknown: { path: '/image/sbom?repository=team%2Fapp&reference=2', status: 404 },
  },
  { id: 'scan.status', method: 'get', path: '/scans', status: 200, role: 'admin' },
  { id: 'webhook.list', method: 'get', path: '/webhooks', status: 200, role: 'admin' },
  { id: 'webhook.test', method: 'post', path: '/webhooks/chat/test', status: 200, role: 'admin' },
  {
    id: 'image.import.list',
    method: 'get',
    path: '/image/import?prefix=team%2F',
    status: 200,
    role: 'admin',
  },
  {
    ...{ id: 'image.import', method: 'post', path: '/image/import', status: 200, role: 'admin' },
    body: { repository: 'team/app' },
    unknown: { body: { repository: 'team/nothing' }, status: 404 },
  },
  {
    ...{ id: 'policy.apply', method: 'put', path: '/policies', status: 200, role: 'admin' },
    body: { policies: [POLICY] },
  },
  { id: 'policy.list', method: 'get', path: '/policies', status: 200 },
  {
    ...{ id: 'policy.try', method: 'post', path: '/policy-trials', status: 200, role: 'developer' },
    body: { policies: [POLICY] },
    unknown: { body: { without: ['nothing'] }, status: 404 },
  },
  { id: 'policy.feeds', method: 'get', path: '/feeds', status: 200, role: 'admin' },
  { id: 'policy.feeds.refresh', method: 'post', path: '/feeds/refresh', status: 200, role: 'admin' },
  {
    ...{ id: 'policy.history', method: 'get', path: '/policies/p/versions', status: 200, role: 'admin' },
  },
  {
    ...{ id: 'policy.rollback', method: 'post', status: 200, role: 'admin' },
    path: '/policies/p/versions/1/restore',
    unknown: { path: '/policies/p/versions/99/restore', status: 404 },
  },
  {
    ...{ id: 'policy.remove', method: 'delete', path: '/policies/p', status: 200, role: 'admin' },
    unknown: { path: '/policies/p', status: 404 },
  },
  { id: 'waiver.list', method: 'get', path: '/waivers', status: 200, role: 'admin' },
  { id: 'waiver.add', method: 'post', path: '/waivers', body: WAIVER, status: 201, role: 'admin' },
  {
    ...{ id: 'waiver.importVex', method: 'post', path: '/vex-documents', status: 201, role: 'admin' },
    body: { document: VEX, endsAt: WAIVER.endsAt },
    unknown: { path: '/vex-documents', body: { document: '{}', endsAt: WAIVER.endsAt }, status: 400 },
  },
  {
    ...{ id: 'waiver.approve', method: 'post', path: '/waivers/WAIVER/approval', status: 200, role: 'admin' },
    by: 'admin',
    unknown: { path: '/waivers/nothing/approval', status: 404 },
  },
  {
    ...{ id: 'waiver.remove', method: 'delete', path: '/waivers/WAIVER', status: 200, role: 'admin' },
    unknown: { path: '/waivers/nothing', status: 404 },
  },
  { id: 'digest.list', method: 'get', path: '/denied-digests', status: 200, role: 'admin' },
  {
    ...{ id: 'digest.deny', method: 'put', path: `/denied-digests/${DIGEST}`, status: 200, role: 'admin' },
    body: { reason: 'carries a worm' },
    unknown: { path: '/denied-digests/sha256:ab', body: { reason: 'carries a worm' }, status: 400 },
  },
  {
    ...{
      id: 'digest.undeny',
      method: 'delete',
      path: `/denied-digests/${DIGEST}`,
      status: 200,
      role: 'admin',
    },
    unknown: { path: `/denied-digests/${DIGEST}`, status: 404 },
  },
  { id: 'audit.search', method: 'get', path: '/audit/records', status: 200, role: 'auditor' },
  { id: 'audit.reindex', method: 'post', path: '/audit/reindex', status: 202, role: 'admin', body: {} },
  { id: 'audit.exposed', method: 'get', path: '/audit/exposed?finding=CVE-1', status: 200, role: 'auditor' },
  { id: 'audit.count', method: 'get', path: '/audit/counts?by=day', status: 200, role: 'auditor' },
  { id: 'audit.follow', method: 'get', path: '/audit/follow?after=0', status: 200, role: 'auditor' },
  {
    ...{ id: 'explain', method: 'get', status: 200, role: 'admin' },
    path: '/explain?principal=admin&action=pull&repository=team%2Fapp',
    unknown: { path: '/explain?principal=nobody&action=pull&repository=team%2Fapp', status: 404 },
  },
  { id: 'status', method: 'get', path: '/status', status: 200, role: 'admin' },
  {
    ...{ id: 'token.create', method: 'post', path: '/tokens', status: 201 },
    body: { name: 'laptop', allows: [{ actions: ['pull'], on: 'team/**' }] },
    unknown: { body: { name: 'laptop', expires: '1m' }, status: 400 },
  },
  { id: 'token.list', method: 'get', path: '/tokens', status: 200 },
  {
    ...{ id: 'token.rotate', method: 'post', path: '/tokens/laptop/rotate', status: 200 },
    body: { overlap: '1h' },
    unknown: { path: '/tokens/nothing/rotate', status: 404 },
  },
  {
    ...{ id: 'user.tokens', method: 'get', path: '/users/the-reader/tokens', status: 200, role: 'admin' },
    unknown: { path: '/users/nobody/tokens', status: 404 },
  },
  {
    ...{ id: 'user.token.revoke', method: 'delete', status: 200, role: 'admin' },
    path: '/users/the-reader/tokens/kept',
    unknown: { path: '/users/the-reader/tokens/nothing', status: 404 },
  },
  {
    ...{ id: 'token.revoke', method: 'delete', path: '/tokens/laptop', status: 200 },
    unknown: { path: '/tokens/nothing', status: 404 },
  },
  {
    ...{ id: 'second-factor.enroll', method: 'post', path: '/second-factor/enroll', status: 200 },
    body: { password: PASSWORD },
    unknown: { body: { password: 'wrong-horse-battery-9' }, status: 403 },
  },
  {
    ...{ id: 'user.second-factor.reset', method: 'delete', status: 200, role: 'admin' },
    path: '/users/the-reader/second-factor',
    unknown: { path: '/users/nobody/second-factor', status: 404 },
  },
  {
    ...{ id: 'role.second-factor', method: 'put', status: 200, role: 'admin' },
    path: '/roles/reader/second-factor',
    body: { isRequired: false },
    unknown: { path: '/roles/nothing/second-factor', body: { isRequired: true }, status: 404 },
  },
  { id: 'sign-out', method: 'post', path: '/sign-out', status: 200 },
  { id: 'me', method: 'get', path: '/me', status: 200 },
  {
    ...{ id: 'me.passwd', method: 'put', path: '/me/password', status: 200 },
    // The same again: whoever asks next signs in with it.
    body: { oldPassword: PASSWORD, password: PASSWORD },
  },
  { id: 'registry.gc', method: 'post', path: '/registry/gc', body: {}, status: 200, role: 'admin' },
  {
    ...{ id: 'registry.verify', method: 'post', path: '/registry/verify', status: 200, role: 'admin' },
    body: { step: 'files' },
  },
  { id: 'registry.usage', method: 'get', path: '/registry/usage', status: 200, role: 'admin' },
];

/** Their success needs the codes of an app: test/api/second-factor.test.ts. */
const NEEDS_AN_APP: readonly string[] = ['second-factor.confirm', 'second-factor.disable'];
const ROLES = ['reader', 'developer', 'maintainer', 'auditor', 'admin'];
/** Which of the built-in roles are enough, where one is; `image.*` are rights on a repository. */
const ENOUGH: Readonly<Record<string, readonly string[]>> = {
  reader: ['reader', 'developer', 'maintainer', 'admin'],
  developer: ['developer', 'maintainer', 'admin'],
  maintainer: ['maintainer', 'admin'],
  auditor: ['auditor', 'admin'],
  admin: ['admin'],
};
const ENOUGH_TO_SEE_VERDICTS = ['developer', 'maintainer', 'auditor', 'admin'];

describe('an operation of the API', () => {
  let lab: ApiLab;
  let waiver = '';

  before(async () => {
    lab = await openApiLab();
    await lab.addUser('nobody-much');
    for (const role of ROLES) await lab.addUser(`the-${role}`, [role, '**']);
    await lab.addUser('elsewhere', ['maintainer', 'other/**']);
    await lab.addImage('team/app', '1');
    await lab.call('post', '/api/v1/tokens', { as: 'the-reader', body: { name: 'kept' } });
  });
  after(() => lab.close());

  const call = (example: Example, as: string, given: { path?: string; body?: object } = {}) => {
    const path = (given.path ?? example.path).replace('WAIVER', waiver);
    const body = given.body ?? example.body;
    return lab.call(example.method, `/api/v1${path}`, { as, ...(body === undefined ? {} : { body }) });
  };

  it('T-32: is in this matrix, each of them', async () => {
    const { body } = await lab.call('get', '/api/v1/openapi.json', { as: '' });
    const paths: Record<string, Record<string, { operationId: string }>> = body.paths;
    const ids = Object.values(paths).flatMap((methods) =>
      Object.values(methods).map((one) => one.operationId),
    );
    const others = ids.filter((id) => !NEEDS_AN_APP.includes(id));
    assert.deepEqual(others.toSorted(), EXAMPLES.map(({ id }) => id).toSorted());
  });

  for (const example of EXAMPLES) {
    const { id, method, role, status, unknown } = example;

    describe(id, () => {
      it('asks for a credential, and says so in the log without waiting for it', async () => {
        const { status: answered, headers } = await call(example, '');
        assert.equal(answered, 401);
        assert.match(String(headers['www-authenticate']), /^Basic /);
        assert.deepEqual(lastRecord(), [`admin.${id}`, 'refused', 401, 'sign-in.needed', undefined, 'note']);
      });

      it('is refused to whoever has no right to it, and the refusal is recorded', async () => {
        const enough = enoughFor(example);
        for (const name of ROLES.filter((one) => !enough.includes(one))) {
          const { status: answered, body } = await call(example, `the-${name}`);
          assert.deepEqual([name, answered, body.error.code], [name, 403, 'DG_DENIED']);
          assert.deepEqual(lastRecord(), [
            `admin.${id}`,
            'refused',
            403,
            'DG_DENIED',
            `the-${name}`,
            'record',
          ]);
        }
        if (role === undefined) return;
        assert.equal((await call(example, 'nobody-much')).status, 403);
        // A trial is for who may see verdicts anywhere, and told of nothing else.
        assert.equal((await call(example, 'elsewhere')).status, id === 'policy.try' ? 200 : 403);
      });

      it('W-05: takes no member that it does not name', async () => {
        const query = example.path.includes('?') ? '&' : '?';
        const isRead = method === 'get' || method === 'delete';
        const answer = isRead
          ? await call(example, 'admin', { path: `${example.path}${query}isAdmin=true` })
          : await call(example, 'admin', { body: { ...example.body, isAdmin: true } });
        assert.equal(answer.status, 400, answer.text);
        assert.match(answer.body.error.message, /isAdmin/);
        assert.equal(lab.audit.entries.at(-1)?.outcome, 'refused');
      });

      it('takes its input from one place only', async () => {
        const isRead = method === 'get' || method === 'delete';
        const answer = isRead
          ? await call(example, 'admin', { body: { name: 'bob' } })
          : await call(example, 'admin', { path: `${example.path}?password=in-the-query` });
        assert.equal(answer.status, 400, answer.text);
        assert.match(answer.body.error.message, isRead ? /takes no body/ : /in the body, not in the query/);
      });

      it('is done for who may, after its record', async () => {
        lab.audit.state.isWritable = false;
        assert.equal((await call(example, 'admin')).status, 503, 'nothing happens without a record');
        lab.audit.state.isWritable = true;
        const before = lab.audit.entries.length;
        const [name = 'nobody-much'] = enoughFor(example).map((one) => `the-${one}`);
        const by = example.by ?? (role === undefined ? 'nobody-much' : name);
        const answer = await call(example, by);
        assert.equal(answer.status, status, answer.text);
        if (id === 'waiver.add') waiver = answer.body.id;
        assert.deepEqual(lastRecord(), [`admin.${id}`, 'allowed', status, undefined, by, 'record']);
        assert.equal(lab.audit.entries.length, before + 1, 'exactly one record');
      });

      if (unknown) {
        it(`answers ${unknown.status} where it cannot be, in a sentence, and records that`, async () => {
          const { status: answered, body } = await call(example, 'admin', unknown);
          assert.equal(answered, unknown.status, JSON.stringify(body));
          assert.match(body.error.message, /^[a-z].{10,}/);
          assert.equal(lab.audit.entries.at(-1)?.outcome, 'refused');
          assert.equal(lab.audit.entries.at(-1)?.status, unknown.status);
        });
      }
    });
  }

  function lastRecord(): readonly unknown[] {
    const entry = lab.audit.entries.at(-1);
    const { action, outcome, status, reason, principal } = entry ?? {};
    return [action, outcome, status, reason, principal?.name, lab.audit.waits.at(-1)];
  }
});

const SHOWS_VERDICTS = ['image.show', 'image.sbom', 'policy.try'];

function enoughFor({ id, role }: Example): readonly string[] {
  if (role === undefined) return ROLES;
  return SHOWS_VERDICTS.includes(id) ? ENOUGH_TO_SEE_VERDICTS : (ENOUGH[role] ?? []);
}
