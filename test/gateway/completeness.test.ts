import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { waitForLog } from '../support/access-log.ts';
import { type Dockgate, type HttpAnswer, type HttpOptions, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage, digestOf } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';

const PASSWORD = 'correct-horse-battery-9';
const REQUESTS = 400;
const AT_ONCE = 24;

describe('the access log under load', function () {
  this.timeout(180_000);
  let server: Dockgate;
  let image: BuiltImage;
  let token: string;

  before(async () => {
    server = await startDockgate({ workers: 2 });
    await server.addUser('alice', PASSWORD, ['maintainer', 'team/**']);
    image = await buildImage({
      config: { user: 'app' },
      layers: [[{ path: 'noise', data: randomBytes(300_000) }]],
    });
    await createPusher(server, `alice:${PASSWORD}`).push('team/app', image, '1');
    token = await server.token(`alice:${PASSWORD}`, 'repository:team/app:pull,push,delete');
    assert.equal((await server.request('/v2/team/app/manifests/1', { token })).status, 200);
  });
  after(() => server.remove());

  /** Each kind of request, allowed and refused; all show a credential, so each is recorded singly. */
  const kinds: readonly ((index: number) => readonly [path: string, options: HttpOptions])[] = [
    () => ['/v2/', { token }],
    () => ['/v2/team/app/manifests/1', { token }],
    () => ['/v2/team/app/manifests/1', { token, method: 'HEAD' }],
    () => [`/v2/team/app/manifests/${image.digest}`, { basic: `alice:${PASSWORD}` }],
    () => [`/v2/team/app/blobs/${image.layers[0]?.digest}`, { token }],
    () => [`/v2/team/app/blobs/${image.layers[0]?.digest}`, { token, headers: { range: 'bytes=5-500' } }],
    () => [`/v2/team/app/blobs/${image.config.digest}`, { token, method: 'HEAD' }],
    () => ['/v2/team/app/tags/list', { token }],
    () => [`/v2/team/app/referrers/${image.digest}`, { token }],
    () => ['/v2/team/app/manifests/absent', { token }],
    () => ['/v2/team/other/manifests/1', { token }],
    () => ['/v2/secret/app/manifests/1', { basic: `alice:${PASSWORD}` }],
    () => ['/v2/team/app/manifests/1', { token: 'not.a.token' }],
    () => ['/v2/_catalog', { token }],
    () => ['/v2/team/APP/manifests/1', { token }],
    () => ['/v2/team/app/tags/list?n=-1', { token }],
    () => ['/v2/team/app/tags/list', { token, method: 'POST' }],
    () => ['/v2/team/app/blobs/uploads/', { token, method: 'POST' }],
    (index) => {
      const body = Buffer.from(`blob ${index}`);
      return [`/v2/team/app/blobs/uploads/?digest=${digestOf(body)}`, { token, method: 'POST', body }];
    },
    () => [
      `/v2/team/app/blobs/uploads/?digest=sha256:${'0'.repeat(64)}`,
      { token, method: 'POST', body: 'other' },
    ],
    (index) => [
      `/v2/team/app/manifests/t${index}`,
      { token, method: 'PUT', body: image.manifest, headers: { 'content-type': image.mediaType } },
    ],
    () => ['/v2/team/app/manifests/2', { token, method: 'PUT', body: '{}' }],
    () => ['/v2/team/app/manifests/absent', { token, method: 'DELETE' }],
    () => ['/token?service=dockgate&scope=repository:team/app:pull', { basic: `alice:${PASSWORD}` }],
    () => ['/token?service=dockgate&scope=junk', { basic: `alice:${PASSWORD}` }],
    () => ['/api/v1/users', { basic: `alice:${PASSWORD}` }],
  ];

  it('A-20: holds exactly one decision for each answer, with its status, and verifies', async () => {
    const answers: HttpAnswer[] = [];
    let next = 0;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (next < REQUESTS) {
          const index = next++;
          const [path, options] = kinds[index % kinds.length]?.(index) ?? assert.fail('no kind');
          answers.push(await server.request(path, options));
        }
      }),
    );
    const statuses = new Map(
      answers.map((answer) => [String(answer.headers['x-request-id']), answer.status]),
    );
    assert.equal(statuses.size, REQUESTS, 'each answer has an id of its own');
    assert.ok([...statuses.values()].every((status) => status < 500));

    const records = await waitForLog(
      server,
      (log) =>
        new Set(log.filter(({ requestId }) => statuses.has(requestId)).map(({ requestId }) => requestId))
          .size === REQUESTS,
    );
    const ours = records.filter(({ requestId }) => statuses.has(requestId));
    const decisions = ours.filter(({ kind }) => kind === 'decision');
    assert.equal(decisions.length, REQUESTS);
    assert.equal(new Set(decisions.map(({ requestId }) => requestId)).size, REQUESTS);
    const outcomes = new Map(
      ours.filter(({ kind }) => kind === 'completion').map(({ requestId, status }) => [requestId, status]),
    );
    for (const { requestId, status, ...rest } of decisions) {
      assert.equal(outcomes.get(requestId) ?? status, statuses.get(requestId), JSON.stringify(rest));
    }
    const verified = await server.cli(['audit', 'verify']);
    assert.equal(verified.code, 0, verified.stderr);
  });

  it('A-27: challenges are summed up beyond ten a second from one address, and none is lost', async () => {
    const count = 120;
    const before = await waitForLog(server, () => true);
    const newest = before[0]?.index ?? 0;
    await Promise.all(Array.from({ length: count }, () => server.request('/v2/')));
    const counted = (log: typeof before): number =>
      log
        .filter(({ index }) => index > newest)
        .reduce(
          (sum, { kind, reason, count: summed }) =>
            sum + (kind === 'summary' ? (summed ?? 0) : reason === 'sign-in.needed' ? 1 : 0),
          0,
        );
    const records = await waitForLog(server, (log) => counted(log) >= count);
    assert.equal(counted(records), count);
    assert.ok(records.some(({ kind, index }) => kind === 'summary' && index > newest));
  });
});
