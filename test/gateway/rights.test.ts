import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { METHODS } from '../../src/gateway/dispatch.ts';
import { type Dockgate, type HttpAnswer, type HttpOptions, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildArtifact, buildImage, digestOf } from '../support/image.ts';
import { createPusher, type Pusher } from '../support/pusher.ts';

const PASSWORD = 'correct-horse-battery-9';

/** Who asks: none shows nothing; the others a token of what they are called, admin its password. */
const SUBJECTS = ['none', 'anonymous', 'pull', 'push', 'delete', 'admin', 'other'] as const;
type Subject = (typeof SUBJECTS)[number];

/**
 * The status of each route and method, for the subjects in the order above. 401: sign in, or ask for a better token.
 * 403: no grant gives it. A route of the gateway that is not here fails the test, and so does one that is gone.
 */
const RIGHTS: Readonly<Record<string, readonly number[]>> = {
  'base GET': [401, 200, 200, 200, 200, 200, 200],
  'base HEAD': [401, 200, 200, 200, 200, 200, 200],
  'catalog GET': [401, 401, 401, 401, 401, 200, 401],
  'tags GET': [401, 401, 200, 200, 401, 200, 403],
  'manifest GET': [401, 401, 200, 200, 401, 200, 403],
  'manifest HEAD': [401, 401, 200, 200, 401, 200, 403],
  'manifest PUT': [401, 401, 403, 201, 401, 201, 403],
  'manifest DELETE': [401, 401, 403, 403, 202, 202, 403],
  'blob GET': [401, 401, 200, 200, 401, 200, 403],
  // docker cannot read a 403 there.
  'blob HEAD': [401, 401, 200, 200, 401, 200, 404],
  'blob DELETE': [401, 401, 403, 403, 202, 202, 403],
  'referrers GET': [401, 401, 200, 200, 401, 200, 403],
  'uploads POST': [401, 401, 403, 202, 401, 202, 403],
  'upload GET': [401, 401, 403, 204, 401, 204, 403],
  'upload PATCH': [401, 401, 403, 202, 401, 202, 403],
  'upload PUT': [401, 401, 403, 201, 401, 201, 403],
  'upload DELETE': [401, 401, 403, 204, 401, 204, 403],
};

const EVERY_METHOD = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

describe('rights', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let image: BuiltImage;
  let pusher: Pusher;
  let credentials: Readonly<Record<Subject, HttpOptions>>;

  before(async () => {
    server = await startDockgate();
    await server.addUser('reader', PASSWORD, ['reader', 'team/**']);
    await server.addUser('developer', PASSWORD, ['developer', 'team/**']);
    await server.addUser('maintainer', PASSWORD, ['maintainer', 'team/**']);
    await server.addUser('stranger', PASSWORD, ['maintainer', 'other/**']);
    await server.run(['role', 'put', 'pusher', 'push', 'tag.create']);
    await server.addUser('ci', PASSWORD, ['pusher', 'team/**']);
    const token = async (basic: string, scope: string): Promise<HttpOptions> => ({
      token: await server.token(basic, scope),
    });
    credentials = {
      none: {},
      anonymous: await token('', 'repository:team/app:pull,push,delete'),
      pull: await token(`reader:${PASSWORD}`, 'repository:team/app:pull'),
      push: await token(`developer:${PASSWORD}`, 'repository:team/app:pull,push'),
      delete: await token(`maintainer:${PASSWORD}`, 'repository:team/app:delete'),
      admin: { basic: `admin:${server.adminPassword}` },
      other: await token(`stranger:${PASSWORD}`, 'repository:other/app:pull,push,delete'),
    };
    image = await buildImage({ config: { user: 'app' } });
    pusher = createPusher(server, `maintainer:${PASSWORD}`);
    await pusher.push('team/app', image, '1');
    await pusher.push('other/app', image, '1').catch(() => undefined);
    for (const subject of SUBJECTS) await pusher.push('team/app', image, `doomed-${subject}`);
    const pulled = await server.request('/v2/team/app/manifests/1', credentials.pull);
    assert.equal(pulled.status, 200, pulled.text);
  });
  after(() => server.remove());

  /** Begins an upload as the subject where it may, else as the admin. */
  async function session(subject: Subject, repository: string): Promise<string> {
    const path = `/v2/${repository}/blobs/uploads/`;
    const own = await server.request(path, { ...credentials[subject], method: 'POST' });
    const begun =
      own.status === 202 ? own : await server.request(path, { ...credentials.admin, method: 'POST' });
    return new URL(String(begun.headers.location)).pathname;
  }

  async function targetOf(
    kind: string,
    method: string,
    subject: Subject,
    repository: string,
  ): Promise<string> {
    const base = `/v2/${repository}`;
    switch (kind) {
      case 'base':
        return '/v2/';
      case 'catalog':
        return '/v2/_catalog';
      case 'tags':
        return `${base}/tags/list`;
      case 'manifest':
        return `${base}/manifests/${method === 'DELETE' ? `doomed-${subject}` : '1'}`;
      case 'referrers':
        return `${base}/referrers/${image.digest}`;
      case 'blob': {
        if (method !== 'DELETE') return `${base}/blobs/${image.layers[0]?.digest}`;
        const bytes = randomBytes(32);
        await createPusher(server, `admin:${server.adminPassword}`).blob('team/app', bytes, digestOf(bytes));
        return `${base}/blobs/${digestOf(bytes)}`;
      }
      case 'uploads':
        return `${base}/blobs/uploads/`;
      case 'upload': {
        const path = await session(subject, repository);
        return method === 'PUT' ? `${path}?digest=${digestOf(new Uint8Array())}` : path;
      }
      default:
        return assert.fail(`no target for ${kind}: add one`);
    }
  }

  async function ask(
    kind: string,
    method: string,
    subject: Subject,
    repository = 'team/app',
  ): Promise<HttpAnswer> {
    const body = method === 'PUT' && kind === 'manifest' ? { body: image.manifest } : {};
    const type = kind === 'manifest' ? image.mediaType : 'application/octet-stream';
    return server.request(await targetOf(kind, method, subject, repository), {
      ...credentials[subject],
      method,
      ...body,
      ...(method === 'PUT' || method === 'PATCH' ? { headers: { 'content-type': type } } : {}),
    });
  }

  it('T-32: every route and method of the gateway has its row here, and no row is left over', () => {
    const routes = Object.entries(METHODS).flatMap(([kind, methods]) =>
      methods.map((method) => `${kind} ${method}`),
    );
    assert.deepEqual(routes.toSorted(), Object.keys(RIGHTS).toSorted());
  });

  for (const [route, statuses] of Object.entries(RIGHTS)) {
    const [kind = '', method = ''] = route.split(' ');
    for (const [index, subject] of SUBJECTS.entries()) {
      const expected = statuses[index] ?? assert.fail(`${route} has no entry for ${subject}`);
      it(`T-32: ${route} by ${subject} is ${expected}`, async () => {
        const answer = await ask(kind, method, subject);
        assert.equal(answer.status, expected, answer.text);
        assert.equal(
          answer.headers['www-authenticate'] !== undefined,
          expected === 401,
          'a challenge with 401',
        );
      });

      const isRefused = expected === 401 || expected === 403 || expected === 404;
      if (!isRefused || kind === 'base' || kind === 'catalog') continue;
      it(`${route} by ${subject} is the same for a repository that does not exist`, async () => {
        const [known, unknown] = [
          await ask(kind, method, subject),
          await ask(kind, method, subject, 'team/none'),
        ];
        assert.deepEqual(comparable(unknown, 'team/none'), comparable(known, 'team/app'));
      });
    }
  }

  for (const [kind, allowed] of Object.entries(METHODS)) {
    const others = EVERY_METHOD.filter((method) => !allowed.some((one) => one === method));
    it(`T-32: ${kind} knows no ${others.join(', ')}, for the admin neither`, async () => {
      for (const method of others) {
        const answer = await ask(kind, method, 'admin');
        assert.equal(answer.status, 405, method);
        assert.equal(answer.headers.allow, allowed.join(', '));
      }
    });
  }

  it('T-18: a token for what the grants do not give holds the rest, and no more', async () => {
    const basic = `reader:${PASSWORD}`;
    const token = await server.token(
      basic,
      'repository:other/app:pull,push',
      'repository:team/app:pull,push,delete',
      'registry:catalog:*',
    );
    assert.deepEqual(
      scopesIn(token).filter(({ actions }) => actions.length > 0),
      [
        { type: 'repository', name: 'team/app', actions: ['pull'] },
        { type: 'registry', name: 'catalog', actions: ['*'] },
      ],
    );
    assert.equal((await server.request('/v2/other/app/tags/list', { token })).status, 403);
  });

  it('T-30: the catalog holds what the caller may list, in pages, and no trace of anything else', async () => {
    const admin = createPusher(server, `admin:${server.adminPassword}`);
    for (const repository of ['other/one', 'other/two', 'team/second', 'zoo/hidden'])
      await admin.push(repository, image, '1');
    const list = async (basic: string, path = '/v2/_catalog') => {
      const answer = await server.request(path, { basic });
      return { names: answer.json().repositories, link: answer.headers.link };
    };
    const reader = `reader:${PASSWORD}`;
    assert.deepEqual(await list(reader), { names: ['team/app', 'team/second'], link: undefined });
    assert.deepEqual(await list(reader, '/v2/_catalog?n=1'), {
      names: ['team/app'],
      link: '</v2/_catalog?n=1&last=team%2Fapp>; rel="next"',
    });
    assert.deepEqual(await list(reader, '/v2/_catalog?n=1&last=team/app'), {
      names: ['team/second'],
      link: undefined,
    });
    assert.deepEqual(await list(reader, '/v2/_catalog?last=zoo'), { names: [], link: undefined });
    assert.deepEqual(await list(reader, '/v2/_catalog?n=0'), { names: [], link: undefined });
    assert.deepEqual(await list(`stranger:${PASSWORD}`), {
      names: ['other/one', 'other/two'],
      link: undefined,
    });
    assert.equal((await server.request('/v2/_catalog', credentials.anonymous)).status, 401);
  });

  it('HEAD follows the right to push where there is none to pull; GET does not', async () => {
    const basic = `ci:${PASSWORD}`;
    const layer = image.layers[0]?.digest;
    for (const path of ['/v2/team/app/manifests/1', `/v2/team/app/blobs/${layer}`]) {
      assert.equal((await server.request(path, { basic, method: 'HEAD' })).status, 200, path);
      assert.equal((await server.request(path, { basic })).status, 403, path);
    }
    const elsewhere = `/v2/team/empty/blobs/${layer}`;
    assert.equal(
      (await server.request(elsewhere, { basic, method: 'HEAD' })).status,
      404,
      'of this repository only',
    );
  });

  it('N-16: who may create a tag may not overwrite one', async () => {
    const put = (tag: string) =>
      server.request(`/v2/team/app/manifests/${tag}`, {
        basic: `ci:${PASSWORD}`,
        method: 'PUT',
        headers: { 'content-type': image.mediaType },
        body: image.manifest,
      });
    assert.equal((await put('latest')).status, 201);
    const again = await put('latest');
    assert.equal(again.status, 403);
    assert.match(again.text, /ci has no grant for tag.overwrite on team\/app/);
  });

  it('N-16: of pushes that race for a new tag one creates it, and none of the others overwrites', async () => {
    const puts = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const rival = buildArtifact({
          artifactType: `application/vnd.example.rival-${index}`,
          blobs: [{ bytes: Buffer.from('rival'), mediaType: 'application/octet-stream' }],
        });
        for (const blob of [rival.config, ...rival.layers])
          await pusher.blob('team/app', blob.bytes, blob.digest);
        return rival;
      }),
    );
    const answers = await Promise.all(
      puts.map((rival) =>
        server.request('/v2/team/app/manifests/race', {
          basic: `ci:${PASSWORD}`,
          method: 'PUT',
          headers: { 'content-type': rival.mediaType },
          body: rival.manifest,
        }),
      ),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [
      201,
      ...Array.from({ length: 7 }, () => 403),
    ]);
    const winner = puts[answers.findIndex(({ status }) => status === 201)];
    const pulled = await server.request('/v2/team/app/manifests/race', {
      basic: `maintainer:${PASSWORD}`,
      method: 'HEAD',
    });
    assert.equal(pulled.headers['docker-content-digest'], winner?.digest);
  });

  it('referrers: what is attached is listed, by type, and its subject is said back', async () => {
    const signature = buildArtifact({
      artifactType: 'application/vnd.example.signature',
      blobs: [{ bytes: randomBytes(20), mediaType: 'application/octet-stream' }],
      subject: image,
    });
    for (const blob of [signature.config, ...signature.layers])
      await pusher.blob('team/app', blob.bytes, blob.digest);
    const pushed = await server.request(`/v2/team/app/manifests/${signature.digest}`, {
      basic: `maintainer:${PASSWORD}`,
      method: 'PUT',
      headers: { 'content-type': signature.mediaType },
      body: signature.manifest,
    });
    assert.deepEqual([pushed.status, pushed.headers['oci-subject']], [201, image.digest]);
    const list = async (query: string) => {
      const answer = await server.request(`/v2/team/app/referrers/${image.digest}${query}`, credentials.pull);
      const { manifests } = answer.json();
      return { answer, digests: Array.isArray(manifests) ? manifests.map(({ digest }) => digest) : [] };
    };
    const all = await list('');
    assert.deepEqual(all.digests, [signature.digest]);
    assert.equal(all.answer.headers['content-type'], 'application/vnd.oci.image.index.v1+json');
    assert.equal(all.answer.headers['oci-filters-applied'], undefined);
    const filtered = await list('?artifactType=application/vnd.example.sbom');
    assert.deepEqual(filtered.digests, []);
    assert.equal(filtered.answer.headers['oci-filters-applied'], 'artifactType');
    assert.deepEqual((await list('?artifactType=application/vnd.example.signature')).digests, [
      signature.digest,
    ]);
  });
});

/** What a caller can compare: names, ids and times apart, all of it. */
function comparable(answer: HttpAnswer, repository: string): unknown {
  const { date: _date, 'x-request-id': _id, ...headers } = answer.headers;
  const plain = (text: string): string =>
    text
      .replaceAll(repository, 'REPOSITORY')
      .replaceAll(/doomed-\w+/g, 'TAG')
      .replaceAll(/sha256:\w{64}/g, 'DIGEST');
  return {
    status: answer.status,
    body: plain(answer.text),
    headers: Object.entries(headers)
      .map(([name, value]) => (name === 'content-length' ? name : `${name}: ${plain(String(value))}`))
      .toSorted(),
  };
}

interface TokenScope {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

function scopesIn(token: string): readonly TokenScope[] {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  if (typeof claims !== 'object' || claims === null || !('access' in claims) || !Array.isArray(claims.access))
    return assert.fail('no access claim');
  return claims.access;
}
