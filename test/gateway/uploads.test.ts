import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readAccessLog, waitForLog } from '../support/access-log.ts';
import { type Dockgate, type HttpAnswer, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage, digestOf } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';
import { connectRaw, summaryOf } from '../support/raw-client.ts';

const PASSWORD = 'correct-horse-battery-9';
const ALICE = `alice:${PASSWORD}`;
const BOB = `bob:${PASSWORD}`;
const MIB = 1024 * 1024;
const UPLOADS = '/v2/a/app/blobs/uploads/';

describe('uploads through the gateway', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let image: BuiltImage;
  let layer: string;

  before(async () => {
    server = await startDockgate();
    await server.addUser('alice', PASSWORD, ['maintainer', 'a/**'], ['maintainer', 'secret/**']);
    await server.addUser('bob', PASSWORD, ['maintainer', 'b/**']);
    image = await buildImage({ config: { user: 'app' } });
    layer = String(image.layers[0]?.digest);
    await createPusher(server, ALICE).push('secret/app', image, '1');
  });
  after(() => server.remove());

  const begin = async (basic: string, path = UPLOADS): Promise<string> => {
    const answer = await server.request(path, { method: 'POST', basic });
    assert.equal(answer.status, 202);
    return new URL(String(answer.headers.location)).pathname;
  };
  const send = (
    method: string,
    path: string,
    body: string | Uint8Array,
    headers: Record<string, string> = {},
    basic = ALICE,
  ): Promise<HttpAnswer> =>
    server.request(path, {
      method,
      basic,
      body,
      headers: { 'content-type': 'application/octet-stream', ...headers },
    });
  const next = (answer: HttpAnswer): string => new URL(String(answer.headers.location)).pathname;

  it('P-20: takes chunks in order, and publishes the blob under its digest', async () => {
    const location = await begin(ALICE);
    const first = await send('PATCH', location, 'hello ', { 'content-range': '0-5' });
    assert.deepEqual([first.status, first.headers.range], [202, '0-5']);
    const second = await send('PATCH', next(first), 'world', { 'content-range': '6-10' });
    assert.deepEqual([second.status, second.headers.range], [202, '0-10']);
    const digest = digestOf(Buffer.from('hello world'));
    const finished = await send('PUT', `${next(second)}?digest=${digest}`, '');
    assert.deepEqual([finished.status, finished.headers['docker-content-digest']], [201, digest]);
    const head = await server.request(`/v2/a/app/blobs/${digest}`, { method: 'HEAD', basic: ALICE });
    assert.equal(head.status, 200);
  });

  it('T-34: has nothing under a session that was finished or cancelled', async () => {
    const location = await begin(ALICE);
    const digest = digestOf(Buffer.from('once'));
    assert.equal((await send('PUT', `${location}?digest=${digest}`, 'once')).status, 201);
    assert.equal(
      summaryOf(asRaw(await send('PUT', `${location}?digest=${digest}`, 'once'))),
      '404 BLOB_UPLOAD_UNKNOWN',
    );
    const other = await begin(ALICE);
    assert.equal((await server.request(other, { method: 'DELETE', basic: ALICE })).status, 204);
    for (const method of ['GET', 'DELETE'])
      assert.equal((await server.request(other, { method, basic: ALICE })).status, 404);
    assert.equal((await send('PATCH', other, 'x')).status, 404);
  });

  const refused: readonly (readonly [
    title: string,
    method: string,
    query: string,
    headers: Record<string, string>,
    body: string,
    answer: string,
  ])[] = [
    [
      'a chunk that begins beyond the end',
      'PATCH',
      '',
      { 'content-range': '5-9' },
      'hello',
      '416 BLOB_UPLOAD_INVALID',
    ],
    [
      'a Content-Range longer than the body',
      'PATCH',
      '',
      { 'content-range': '0-10' },
      'hello',
      '400 SIZE_INVALID',
    ],
    [
      'a Content-Range shorter than the body',
      'PATCH',
      '',
      { 'content-range': '0-1' },
      'hello',
      '400 SIZE_INVALID',
    ],
    [
      'a Content-Range that is none',
      'PATCH',
      '',
      { 'content-range': 'all' },
      'hello',
      '416 BLOB_UPLOAD_INVALID',
    ],
    [
      'a Content-Range that ends before it begins',
      'PATCH',
      '',
      { 'content-range': '4-0' },
      'hello',
      '416 BLOB_UPLOAD_INVALID',
    ],
    ['a PUT without digest', 'PUT', '', {}, 'hello', '400 DIGEST_INVALID'],
    ['a PUT with a digest that is none', 'PUT', '?digest=sha256:..%2f', {}, 'hello', '400 DIGEST_INVALID'],
    [
      'a PUT with two digests',
      'PUT',
      `?digest=sha256:${'a'.repeat(64)}&digest=sha256:${'b'.repeat(64)}`,
      {},
      'hello',
      '400 UNSUPPORTED',
    ],
    [
      'a PUT with the digest of something else',
      'PUT',
      `?digest=sha256:${'a'.repeat(64)}`,
      {},
      'hello',
      '400 DIGEST_INVALID',
    ],
  ];
  for (const [title, method, query, headers, body, answer] of refused) {
    it(`P-20: refuses ${title} with ${answer}`, async () => {
      const location = await begin(ALICE);
      assert.equal(summaryOf(asRaw(await send(method, `${location}${query}`, body, headers))), answer);
    });
  }

  it('P-20: two bodies on one session at once leave one of them or a refusal, never a mixture', async () => {
    const location = await begin(ALICE);
    const bodies = [randomBytes(2 * MIB), randomBytes(2 * MIB)];
    const answers = await Promise.all(
      bodies.map((body) => send('PATCH', location, body, { 'content-range': `0-${2 * MIB - 1}` })),
    );
    const accepted = answers.filter(({ status }) => status === 202);
    assert.equal(accepted.length, 1, answers.map(({ status }) => status).join());
    const winner = bodies[answers.findIndex(({ status }) => status === 202)] ?? assert.fail('no winner');
    const location2 = next(accepted[0] ?? assert.fail('none'));
    assert.equal((await send('PUT', `${location2}?digest=${digestOf(winner)}`, '')).status, 201);
  });

  it('P-20: a body refused in its middle is answered, and the connection ends', async () => {
    const location = await begin(ALICE);
    const connection = await connectRaw(server);
    const authorization = `Authorization: Basic ${Buffer.from(ALICE).toString('base64')}`;
    connection.send(
      `PATCH ${location} HTTP/1.1\r\nHost: localhost\r\n${authorization}\r\nContent-Range: 9-1000000\r\nContent-Length: 999992\r\n\r\nabc`,
    );
    const [answer] = await connection.waitForAnswers(1);
    assert.equal(answer && summaryOf(answer), '416 BLOB_UPLOAD_INVALID');
    assert.equal(answer?.headers.get('connection'), 'close');
    connection.send(`${'x'.repeat(999_989)}GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.equal(await connection.waitForEnd(), true);
    assert.equal(connection.answers().length, 1);
    assert.equal((await server.request(location, { basic: ALICE })).status, 204, 'the upload stays usable');
  });

  it('a refusal of what was recorded as allowed is recorded as its outcome', async () => {
    const location = await begin(ALICE);
    const answer = await send('PUT', `${location}?digest=sha256:${'c'.repeat(64)}`, 'hello');
    const id = String(answer.headers['x-request-id']);
    const records = await waitForLog(
      server,
      (log) => log.filter(({ requestId }) => requestId === id).length === 2,
    );
    assert.deepEqual(
      records
        .filter(({ requestId }) => requestId === id)
        .map(({ kind, outcome, status, reason }) => [kind, outcome, status, reason]),
      [
        ['completion', 'refused', 400, 'outcome.digest_invalid'],
        ['decision', 'allowed', 201, undefined],
      ],
    );
  });

  for (const method of ['PATCH', 'PUT', 'GET', 'DELETE']) {
    it(`T-33: another's session is nothing: ${method}`, async () => {
      const location = await begin(ALICE);
      const session = location.slice(UPLOADS.length);
      const query = method === 'PUT' ? `?digest=${digestOf(Buffer.from('x'))}` : '';
      for (const path of [`/v2/b/app/blobs/uploads/${session}`, `/v2/b/other/blobs/uploads/${session}`]) {
        const answer = await server.request(`${path}${query}`, {
          method,
          basic: BOB,
          ...(method === 'PATCH' || method === 'PUT' ? { body: 'x' } : {}),
        });
        assert.equal(summaryOf(asRaw(answer)), '404 BLOB_UPLOAD_UNKNOWN');
      }
      const answer = await server.request(`${location}${query}`, { method, basic: BOB });
      assert.equal(summaryOf(asRaw(answer)), '403 DENIED');
      assert.equal((await server.request(location, { basic: ALICE })).status, 204, 'it goes on');
      // Nor does its owner reach it by another repository.
      assert.equal(
        (await server.request(location.replace('/a/app/', '/a/other/'), { basic: ALICE })).status,
        404,
      );
    });
  }

  const mounts: readonly (readonly [title: string, query: () => string, basic: string, status: number])[] = [
    ['T-27: from a repository the caller cannot pull', () => `mount=${layer}&from=secret/app`, BOB, 202],
    [
      'T-27: of what that repository does not hold',
      () => `mount=sha256:${'d'.repeat(64)}&from=secret/app`,
      BOB,
      202,
    ],
    ['T-28: without from, of what is elsewhere', () => `mount=${layer}`, BOB, 202],
    ['T-28: from a name that is none', () => `mount=${layer}&from=../secret`, BOB, 202],
    ['from where the caller may pull', () => `mount=${layer}&from=secret/app`, ALICE, 201],
  ];
  for (const [title, query, basic, status] of mounts) {
    it(`a mount ${title} is ${status}`, async () => {
      // Scanned now, so that no mount waits for it.
      assert.equal((await server.request('/v2/secret/app/manifests/1', { basic: ALICE })).status, 200);
      const target = basic === BOB ? 'b/app' : 'a/mounted';
      const answer = await server.request(`/v2/${target}/blobs/uploads/?${query()}`, {
        method: 'POST',
        basic,
      });
      assert.equal(answer.status, status);
      const head = await server.request(`/v2/${target}/blobs/${layer}`, { method: 'HEAD', basic });
      assert.equal(head.status, status === 201 ? 200 : 404);
    });
  }

  it('N-23: a mounted blob is gone with the repository that it was mounted in, and stays where it was', async () => {
    await createPusher(server, ALICE).push('a/copy', image, '1');
    const gone = await server.request(`/v2/a/copy/manifests/${image.digest}`, {
      method: 'DELETE',
      basic: ALICE,
    });
    assert.equal(gone.status, 202);
    assert.equal((await server.request(`/v2/a/copy/blobs/${layer}`, { basic: ALICE })).status, 404);
    assert.equal((await server.request(`/v2/secret/app/blobs/${layer}`, { basic: ALICE })).status, 200);
  });

  it('the log names the tags that a push by digest sets', async () => {
    const pushed = await send('PUT', `/v2/secret/app/manifests/${image.digest}?tag=x&tag=y`, image.manifest, {
      'content-type': image.mediaType,
    });
    assert.deepEqual([pushed.status, pushed.headers['oci-tag']], [201, 'x, y']);
    for (const tag of ['x', 'y'])
      assert.equal(
        (await server.request(`/v2/secret/app/manifests/${tag}`, { method: 'HEAD', basic: ALICE })).status,
        200,
      );
    const id = String(pushed.headers['x-request-id']);
    await waitForLog(server, (log) => log.some(({ requestId }) => requestId === id));
    const record = (await readAccessLog(server)).find(({ requestId }) => requestId === id);
    assert.equal(record?.note, 'tags x, y');
  });
});

function asRaw(answer: HttpAnswer): { readonly status: number; readonly body: string } {
  return { status: answer.status, body: answer.text };
}
