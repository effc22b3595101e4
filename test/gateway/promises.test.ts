import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { AuditUnavailable } from '../../src/audit/index.ts';
import { Fault, parseRepository, type Repository } from '../../src/oci/index.ts';
import { until } from '../cluster/until.ts';
import { type BuiltImage, buildImage, digestOf } from '../support/image.ts';
import { type GatewayBench, type Replaced, startGatewayBench, verdictOf } from './bench.ts';

const SECRET = 'a stack, a host, a query: 10.9.8.7';
const failsWith = (error: Error) => async () => {
  throw error;
};

class StoreAway extends Fault {
  constructor() {
    super('DG_STORE_AWAY', 'UNAVAILABLE', 'dockgate: the store is away, try again', new Error(SECRET));
  }
}

let image: BuiltImage;
let layer: string;
const MANIFEST = '/v2/team/app/manifests/1';
const UPLOADS = '/v2/team/app/blobs/uploads/';

/** One request of every kind that gives content or changes something, and the calls that do it. */
const ACTS: readonly {
  readonly title: string;
  readonly method: string;
  readonly path: () => string;
  readonly body?: () => Uint8Array;
  readonly act: string;
}[] = [
  { title: 'a blob', method: 'GET', path: () => `/v2/team/app/blobs/${layer}`, act: 'content.openToPour' },
  {
    title: 'a HEAD that keeps a blob',
    method: 'HEAD',
    path: () => `/v2/team/app/blobs/${layer}`,
    act: 'linkWrites.linkBlob',
  },
  {
    title: 'a manifest pushed',
    method: 'PUT',
    path: () => MANIFEST,
    body: () => image.manifest,
    act: 'source.pushManifest',
  },
  { title: 'a tag deleted', method: 'DELETE', path: () => MANIFEST, act: 'source.removeTag' },
  {
    title: 'a manifest deleted',
    method: 'DELETE',
    path: () => `/v2/team/app/manifests/${image.digest}`,
    act: 'source.removeManifest',
  },
  {
    title: 'a blob deleted',
    method: 'DELETE',
    path: () => `/v2/team/app/blobs/${layer}`,
    act: 'source.removeBlob',
  },
  { title: 'an upload begun', method: 'POST', path: () => UPLOADS, act: 'source.startUpload' },
  {
    title: 'a blob pushed whole',
    method: 'POST',
    path: () => `${UPLOADS}?digest=${digestOf(Buffer.from('x'))}`,
    body: () => Buffer.from('x'),
    act: 'source.startUpload',
  },
  {
    title: 'a mount',
    method: 'POST',
    path: () => `${UPLOADS}?mount=${layer}&from=team/base`,
    act: 'source.mount',
  },
];
const READS = ['/v2/', MANIFEST, '/v2/team/app/tags/list', '/v2/_catalog'] as const;

describe('the promises of the gateway', () => {
  const open: GatewayBench[] = [];
  before(async () => {
    image = await buildImage();
    layer = String(image.layers[0]?.digest);
  });
  afterEach(async () => {
    for (const bench of open.splice(0)) await bench.close();
  });

  async function bench(replaced: Replaced = {}): Promise<GatewayBench> {
    const started = await startGatewayBench(replaced);
    image = started.image;
    layer = String(started.image.layers[0]?.digest);
    open.push(started);
    return started;
  }

  describe('no answer without its record', () => {
    const unwritable: Replaced = { audit: { record: failsWith(new AuditUnavailable(new Error(SECRET))) } };

    for (const { title, method, path, body, act } of ACTS) {
      it(`${title}: the record is durable before anything is done`, async () => {
        const { ask, calls } = await bench();
        const answer = await ask(
          method,
          path(),
          body ? { body: body(), headers: { 'content-type': image.mediaType } } : {},
        );
        assert.ok(answer.status < 300, answer.body);
        assert.ok(calls.indexOf('audit.record') < calls.indexOf(act), calls.join());
        assert.notEqual(calls.indexOf('audit.record'), -1);
      });

      it(`${title}: nothing is done and 503 is said when the record fails`, async () => {
        const { ask, calls } = await bench(unwritable);
        const answer = await ask(
          method,
          path(),
          body ? { body: body(), headers: { 'content-type': image.mediaType } } : {},
        );
        assert.equal(answer.status, 503);
        assert.ok(!calls.includes(act), calls.join());
        assert.ok(!answer.body.includes(SECRET));
      });
    }

    for (const path of READS) {
      it(`${path}: no byte of it leaves when the record fails`, async () => {
        const { ask } = await bench(unwritable);
        const answer = await ask('GET', path);
        assert.equal(answer.status, 503);
        assert.match(answer.body, /"code":"UNAVAILABLE"/);
        assert.equal(answer.headers['docker-content-digest'], undefined);
        assert.equal(answer.headers['retry-after'], '2');
      });
    }

    it('a refusal of who shows a credential waits for its record, too', async () => {
      const { ask } = await bench({
        ...unwritable,
        directory: { can: async () => ({ isAllowed: false, lacks: 'grant' }) },
      });
      assert.equal((await ask('GET', MANIFEST)).status, 503);
    });

    it('who hangs up before the decision is recorded with it', async () => {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const { port, records, calls, isAlone } = await bench({
        content: {
          read: async () => {
            await promise;
            throw new StoreAway();
          },
        },
      });
      const socket = connect(port, '127.0.0.1');
      socket.write(`GET ${MANIFEST} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic x\r\n\r\n`);
      await until(() => calls.includes('content.read'));
      socket.destroy();
      await once(socket, 'close');
      await until(isAlone);
      resolve(undefined);
      await until(() => records.length > 0);
      assert.deepEqual(
        records.map(({ kind, outcome, status, reason, repository }) => [
          kind,
          outcome,
          status,
          reason,
          repository,
        ]),
        [['decision', 'refused', 0, 'fault.DG_STORE_AWAY', 'team/app']],
      );
    });
  });

  describe('a fault fails closed', () => {
    const places: readonly (readonly [place: string, replaced: (error: Error) => Replaced])[] = [
      ['authentication', (error) => ({ authenticator: { authenticate: failsWith(error) } })],
      ['rights', (error) => ({ directory: { can: failsWith(error) } })],
      ['links', (error) => ({ links: { findManifest: failsWith(error) } })],
      ['content', (error) => ({ content: { read: failsWith(error) } })],
      ['verdicts', (error) => ({ verdicts: { verdictFor: failsWith(error) } })],
    ];
    for (const [place, replaced] of places) {
      it(`of ${place} that is away: 503, recorded, and no word of the cause`, async () => {
        const { ask, records } = await bench(replaced(new StoreAway()));
        const answer = await ask('GET', MANIFEST);
        assert.equal(answer.status, 503);
        assert.doesNotMatch(answer.body, /10\.9\.8\.7|Error|\.ts/);
        assert.deepEqual(
          records.map(({ kind, outcome, reason }) => [kind, outcome, reason]),
          [['decision', 'refused', 'fault.DG_STORE_AWAY']],
        );
      });

      it(`of ${place} that nobody foresaw: 500, recorded, and no word of the cause`, async () => {
        const { ask, records } = await bench(replaced(new TypeError(SECRET)));
        const answer = await ask('GET', MANIFEST);
        assert.equal(answer.status, 500);
        assert.match(
          answer.body,
          /^\{"errors":\[\{"code":"UNKNOWN","message":"dockgate: internal error, see the request id"/,
        );
        assert.deepEqual(
          records.map(({ status, reason }) => [status, reason]),
          [[500, 'fault.DG_BUG']],
        );
      });
    }

    it('after the record: its outcome is recorded as a completion, with who and where', async () => {
      const { ask, records } = await bench({ content: { openToPour: failsWith(new StoreAway()) } });
      assert.equal((await ask('GET', `/v2/team/app/blobs/${layer}`)).status, 503);
      assert.deepEqual(
        records.map(({ kind, outcome, status, reason, repository, principal }) => [
          kind,
          outcome,
          status,
          reason,
          repository,
          principal?.name,
        ]),
        [
          ['decision', 'allowed', 200, undefined, 'team/app', 'alice'],
          ['completion', 'refused', 503, 'fault.DG_STORE_AWAY', 'team/app', 'alice'],
        ],
      );
    });

    it('in the middle of a blob: the connection breaks, and the log says how far it came', async () => {
      const half = Buffer.alloc(1000);
      const { ask, records } = await bench({
        content: {
          find: async () => ({ size: 2000 }),
          openToPour: async () => ({
            size: 2000,
            async pour(take) {
              await take(half);
              throw new StoreAway();
            },
          }),
        },
      });
      const answer = await ask('GET', `/v2/team/app/blobs/${layer}`);
      assert.deepEqual([answer.status, answer.isCut], [200, true]);
      await until(() => records.length === 2);
      const { kind, bytes, isAborted } = records[1] ?? assert.fail('no completion');
      assert.deepEqual([kind, bytes, isAborted], ['completion', 1000, true]);
    });

    it('a blob that ends early never looks whole', async () => {
      const { ask } = await bench({
        content: {
          find: async () => ({ size: 2000 }),
          openToPour: async () => ({ size: 2000, pour: (take) => take(Buffer.alloc(1000)) }),
        },
      });
      const answer = await ask('GET', `/v2/team/app/blobs/${layer}`).catch((error: unknown) => error);
      assert.ok(
        answer instanceof Error ||
          (typeof answer === 'object' && answer !== null && 'isCut' in answer && answer.isCut === true),
      );
    });
  });

  describe('no way around a verdict', () => {
    const blocks: Replaced = {
      verdicts: {
        verdictFor: async (_repository, digest) => ({ verdict: verdictOf(digest, 'block'), restMs: 0 }),
        admitsBlob: async () => ({ isAdmitted: false, verdict: verdictOf(image.digest, 'block') }),
      },
    };
    const pullOnly: Replaced = {
      directory: {
        can: async (_identity, action) =>
          action === 'pull' || action === 'list'
            ? { isAllowed: true, because: 'local' }
            : { isAllowed: false, lacks: 'grant' },
      },
    };
    const asks: readonly (readonly [title: string, method: string, path: () => string, status: number])[] = [
      ['V-01: by tag', 'GET', () => MANIFEST, 403],
      ['V-01: by HEAD', 'HEAD', () => MANIFEST, 403],
      [
        'V-02: by digest, as the child of an index',
        'GET',
        () => `/v2/team/app/manifests/${image.digest}`,
        403,
      ],
      ['V-03: by one of its blobs', 'GET', () => `/v2/team/app/blobs/${layer}`, 403],
      ['V-03: by HEAD of a blob', 'HEAD', () => `/v2/team/app/blobs/${layer}`, 404],
    ];
    for (const [title, method, path, status] of asks) {
      it(`${title} is ${status}, whatever the client calls itself or accepts`, async () => {
        const { ask, calls } = await bench({ ...blocks, ...pullOnly });
        for (const agent of ['docker/27', 'skopeo/1', 'cosign/2', 'Harbor-Scanner', 'containers/5', '']) {
          const answer = await ask(method, path(), {
            headers: { 'user-agent': agent, accept: '*/*', range: 'bytes=0-0' },
          });
          assert.equal(answer.status, status);
          assert.equal(answer.headers['docker-content-digest'], undefined);
          assert.ok(!answer.body.includes('schemaVersion'));
          if (status === 403 && method === 'GET') {
            const code = /^(?:skopeo|containers)/.test(agent) ? 'DENIED' : 'IMAGE_BLOCKED';
            assert.ok(answer.body.includes(`"code":"${code}"`), answer.body);
          }
        }
        assert.ok(!calls.includes('content.openToPour'));
      });
    }

    it('T-29: a mount of a blob that no admitted manifest names begins an upload', async () => {
      const { ask, calls } = await bench(blocks);
      const answer = await ask('POST', `${UPLOADS}?mount=${layer}&from=team/base`);
      assert.equal(answer.status, 202);
      assert.ok(!calls.includes('source.mount') && !calls.includes('linkWrites.linkBlob'));
    });

    it('while the scan runs, manifest and blob are 429 with Retry-After', async () => {
      const { ask } = await bench({
        ...pullOnly,
        verdicts: {
          verdictFor: async (_repository, digest) => ({
            verdict: verdictOf(digest, 'unscanned'),
            restMs: 5000,
          }),
          admitsBlob: async () => ({ isAdmitted: false, verdict: verdictOf(image.digest, 'unscanned') }),
        },
      });
      const manifest = await ask('GET', MANIFEST);
      assert.deepEqual([manifest.status, manifest.headers['retry-after']], [429, '5']);
      const blob = await ask('GET', `/v2/team/app/blobs/${layer}`);
      assert.deepEqual([blob.status, blob.headers['retry-after']], [429, '2']);
    });

    it('a blob that no manifest of the repository names is not there', async () => {
      const { ask, calls } = await bench({
        ...pullOnly,
        verdicts: { admitsBlob: async () => ({ isAdmitted: false }) },
      });
      assert.equal((await ask('GET', `/v2/team/app/blobs/${layer}`)).status, 404);
      assert.ok(!calls.includes('content.find'), 'the store as a whole is not asked');
    });

    it('quarantine.read reads a blocked manifest, never malware, and no blob', async () => {
      const reader: Replaced = {
        directory: {
          can: async (_identity, action) =>
            action === 'pull' || action === 'quarantine.read'
              ? { isAllowed: true, because: 'local' }
              : { isAllowed: false, lacks: 'grant' },
        },
      };
      const blocked = await bench({ ...blocks, ...reader });
      assert.equal((await blocked.ask('GET', MANIFEST)).status, 200);
      assert.equal(blocked.records[0]?.reason, 'quarantine.read');
      assert.equal((await blocked.ask('GET', `/v2/team/app/blobs/${layer}`)).status, 403);
      const malware = await bench({
        ...reader,
        verdicts: {
          verdictFor: async (_repository, digest) => ({
            verdict: {
              ...verdictOf(digest, 'block'),
              reasons: [{ rule: 'malware', policy: 'p', text: 'EICAR', findings: [] }],
            },
            restMs: 0,
          }),
        },
      });
      assert.equal((await malware.ask('GET', MANIFEST)).status, 403);
    });
  });

  it('V-19: a tag is resolved once; what is judged, recorded and served is that digest, wherever the tag goes', async () => {
    const other = digestOf(Buffer.from('moved'));
    let asked = 0;
    const movesTagAfterFirstRead = { resolve: async () => (asked++ === 0 ? image.digest : other) };
    const judged: string[] = [];
    const { ask, records } = await bench({
      source: movesTagAfterFirstRead,
      verdicts: {
        verdictFor: async (_repository, digest) => {
          judged.push(digest);
          return { verdict: verdictOf(digest, 'allow'), restMs: 0 };
        },
      },
    });
    const answer = await ask('GET', MANIFEST);
    assert.equal(asked, 1);
    const served = digestOf(Buffer.from(answer.body, 'latin1'));
    assert.deepEqual(
      [served, ...judged, records[0]?.digest, answer.headers['docker-content-digest']],
      Array(4).fill(image.digest),
    );
  });

  it('authorization comes before resolving: who may not pull learns nothing of tags', async () => {
    const { ask, calls } = await bench({
      directory: { can: async () => ({ isAllowed: false, lacks: 'grant' }) },
    });
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
      assert.equal(
        (await ask(method, MANIFEST, method === 'PUT' ? { body: image.manifest } : {})).status,
        403,
      );
    }
    assert.ok(
      calls.every((call) => /^(?:authenticator|directory|audit)\./.test(call)),
      calls.join(),
    );
  });

  it('T-27: a mount asks for the right to pull there before anything else', async () => {
    const { ask, calls } = await bench({
      directory: {
        can: async (_identity, action, repository) =>
          action === 'pull' && repository === 'secret/app'
            ? { isAllowed: false, lacks: 'grant' }
            : { isAllowed: true, because: 'local' },
      },
    });
    assert.equal((await ask('POST', `${UPLOADS}?mount=${layer}&from=secret/app`)).status, 202);
    assert.ok(!calls.includes('verdicts.admitsBlob') && !calls.includes('source.mount'));
    assert.equal((await ask('POST', `${UPLOADS}?mount=${layer}&from=team/base`)).status, 201);
  });

  it('a mount that the registry does not make is recorded as the upload that begins instead', async () => {
    const { ask, records } = await bench({ source: { mount: async () => undefined } });
    assert.equal((await ask('POST', `${UPLOADS}?mount=${layer}&from=team/base`)).status, 202);
    assert.deepEqual(
      records.map(({ kind, outcome, status, reason }) => [kind, outcome, status, reason]),
      [
        ['decision', 'allowed', 201, undefined],
        ['completion', 'allowed', 202, 'outcome.other'],
      ],
    );
  });

  it("T-33: an upload is its beginner's alone", async () => {
    const { ask } = await bench({
      authenticator: {
        authenticate: async ({ authorization = '' }) => ({
          ok: true,
          identity: {
            principal: { kind: 'user', id: authorization, name: authorization },
            via: 'basic',
            scopes: undefined,
          },
        }),
      },
      source: { findUpload: async () => ({ state: 's', offset: 0 }) },
    });
    const begun = await ask('POST', UPLOADS, { headers: { authorization: 'a' } });
    const { pathname } = new URL(String(begun.headers.location));
    assert.equal((await ask('GET', pathname, { headers: { authorization: 'b' } })).status, 404);
    assert.equal((await ask('GET', pathname, { headers: { authorization: 'a' } })).status, 204);
    const elsewhere = pathname.replace('/team/app/', '/team/other/');
    assert.equal((await ask('GET', elsewhere, { headers: { authorization: 'a' } })).status, 404);
  });

  it('T-30: the catalog leaves out what the caller may not list', async () => {
    const { ask } = await bench({
      directory: { visibleTo: async () => (repository) => repository === 'team/app' },
      source: { listRepositories: async () => repositories('secret/app', 'team/app') },
    });
    assert.equal((await ask('GET', '/v2/_catalog')).body, '{"repositories":["team/app"]}');
  });

  it('a body that is refused before its end is the last of its connection', async () => {
    const { port } = await bench();
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.write(
      `PUT ${MANIFEST} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic x\r\nContent-Length: 9000000\r\n\r\n{`,
    );
    await until(() => received.includes('SIZE_INVALID'));
    assert.match(received, /^HTTP\/1\.1 413 .*\r\nconnection: close\r\n/is);
    socket.end('x'.repeat(8_999_999));
    await once(socket, 'close');
    assert.equal(received.match(/HTTP\/1\.1/g)?.length, 1);
  });
});

function repositories(...names: readonly string[]): readonly Repository[] {
  return names.map((name) => parseRepository(name) ?? assert.fail(name));
}
