import assert from 'node:assert/strict';
import type { Source } from '../../src/content/index.ts';
import { parseManifest } from '../../src/oci/index.ts';
import { refused, repositoryOf, tagOf } from '../contracts/source-bench.ts';
import { type BuiltImage, buildImage, digestOf } from '../support/image.ts';
import { receiveUpload } from '../support/upload-body.ts';
import { answerOf, type Script, withStub } from './stub.ts';

const repository = repositoryOf('team/app');
const blob = digestOf(Buffer.from('bytes'));
const other = digestOf(Buffer.from('other'));
const PROTOCOL = { code: 'DG_UPSTREAM_PROTOCOL', status: 502 };
const AWAY = { code: 'DG_UPSTREAM_UNAVAILABLE', status: 503 };
const errors = (code: string, detail?: unknown) =>
  JSON.stringify({ errors: [{ code, message: 'see http://inside.corp/', detail }] });

describe('a push of a manifest that the upstream does not take', () => {
  let image: BuiltImage;
  before(async () => {
    image = await buildImage();
  });

  function push(source: Source, tags = [tagOf('v1')]) {
    const read = parseManifest(image.manifest, image.mediaType);
    assert.ok(read.ok);
    return source.pushManifest({
      repository,
      tags,
      tagRights: { mayCreate: true, mayOverwrite: true },
      digest: image.digest,
      mediaType: image.mediaType,
      bytes: image.manifest,
      manifest: read.manifest,
      pushedBy: 'u1',
    });
  }

  const refusals: readonly [string, string, string, number][] = [
    ['400 Bad', errors('MANIFEST_INVALID'), 'MANIFEST_INVALID', 400],
    ['400 Bad', '<html>', 'MANIFEST_INVALID', 400],
    ['400 Bad', errors('DIGEST_INVALID'), 'DIGEST_INVALID', 400],
    ['400 Bad', errors('MANIFEST_BLOB_UNKNOWN', other), 'MANIFEST_BLOB_UNKNOWN', 404],
    ['404 Not Found', errors('MANIFEST_BLOB_UNKNOWN', { Digest: 1 }), 'MANIFEST_BLOB_UNKNOWN', 404],
    ['404 Not Found', errors('NAME_UNKNOWN'), 'NAME_UNKNOWN', 404],
    ['403 Forbidden', errors('DENIED'), 'DENIED', 403],
    ['413 Too Large', '', 'MANIFEST_INVALID', 413],
    ['422 Unprocessable', '', 'MANIFEST_INVALID', 400],
  ];
  for (const [status, body, code, ours] of refusals) {
    it(`is refused as ${code} where it says ${status} ${body.slice(0, 40)}`, async () => {
      await withStub(answerOf(status, [], body), async (source) => {
        const refusal = refused(await push(source));
        assert.deepEqual([refusal.code, refusal.status], [code, ours]);
        assert.doesNotMatch(refusal.message, /inside/);
        if (body.includes(other)) assert.deepEqual(refusal.detail, { digest: other });
      });
    });
  }

  it('is a fault where it says nothing that can be understood', async () => {
    await withStub(answerOf('500 Oops'), async (source) => assert.rejects(push(source), AWAY));
    await withStub(answerOf('418 Teapot'), async (source) => assert.rejects(push(source), PROTOCOL));
    await withStub(answerOf('201 Created', [`Docker-Content-Digest: ${other}`]), async (source) =>
      assert.rejects(push(source), PROTOCOL),
    );
  });

  it('goes to the digest where no tag is given, and to each tag otherwise', async () => {
    await withStub(answerOf('201 Created'), async (source, stub) => {
      assert.equal(await push(source, []), undefined);
      assert.equal(await push(source, [tagOf('a'), tagOf('b')]), undefined);
      assert.deepEqual(
        stub.requests.map(({ line }) => line.split('/manifests/')[1]),
        [`${image.digest} HTTP/1.1`, 'a HTTP/1.1', 'b HTTP/1.1'],
      );
    });
  });
});

describe('an upload at an upstream of odd manners', () => {
  const patched = (answer: string): Script => {
    return async (request, socket, body) => {
      await body;
      socket.write(request.line.startsWith('PATCH') ? answer : answerOf('200 OK'));
    };
  };

  async function append(answer: string, state = '/v2/u/1#7') {
    let result: unknown;
    await withStub(patched(answer), async (source) => {
      const received = await receiveUpload({ chunks: ['abc'] });
      try {
        result = await source.appendUpload(repository, state, received.body);
      } finally {
        received.close();
      }
    });
    return result;
  }

  it('counts on by itself where no Range is stated', async () => {
    assert.deepEqual(await append(answerOf('202 Accepted', ['Location: /v2/u/2'])), {
      state: '/v2/u/2#10',
      offset: 10,
    });
  });

  it('takes the offset that the Range states', async () => {
    const answer = answerOf('202 Accepted', ['Location: /v2/u/2', 'Range: bytes=0-5']);
    assert.deepEqual(await append(answer), { state: '/v2/u/2#6', offset: 6 });
  });

  it('is empty where the Range of zot says so', async () => {
    const answer = answerOf('202 Accepted', ['Location: /v2/u/2', 'Range: 0--1']);
    assert.deepEqual(await append(answer), { state: '/v2/u/2#0', offset: 0 });
  });

  it('is a 502 with a malformed Range, and a refusal names SIZE_INVALID where it is that', async () => {
    await assert.rejects(append(answerOf('202 Accepted', ['Location: /v2/u/2', 'Range: 5-6'])), PROTOCOL);
    const refusal = refused((await append(answerOf('400 Bad', [], errors('SIZE_INVALID')))) as object);
    assert.equal(refusal.code, 'SIZE_INVALID');
  });

  it('is a 502 when what it finished is not there, or has another digest', async () => {
    for (const [finish, head] of [
      [answerOf('201 Created'), answerOf('404 Not Found')],
      [answerOf('201 Created', [`Docker-Content-Digest: ${other}`]), answerOf('200 OK')],
      [answerOf('201 Created', ['Docker-Content-Digest: zz']), answerOf('200 OK')],
    ] as const) {
      const script: Script = (request, socket) => {
        socket.write(request.line.startsWith('PUT') ? finish : head);
      };
      await withStub(script, async (source) => {
        const received = await receiveUpload({ contentLength: 0 });
        await assert.rejects(source.finishUpload(repository, '/v2/u/1', blob, received.body), PROTOCOL);
        received.close();
      });
    }
  });

  it('cannot be found or cancelled while it answers neither yes nor no', async () => {
    await withStub(answerOf('502 Bad'), async (source) => {
      await assert.rejects(source.findUpload(repository, '/v2/u/1'), AWAY);
      await assert.rejects(source.cancelUpload(repository, '/v2/u/1'), AWAY);
    });
  });

  it('is where it was when the status names no new place', async () => {
    await withStub(
      answerOf('204 No Content', ['Range: 0-9']).replace('Content-Length: 0\r\n', ''),
      async (source) => {
        assert.deepEqual(await source.findUpload(repository, '/v2/u/1'), { state: '/v2/u/1#10', offset: 10 });
      },
    );
  });

  it('is not mounted where the upstream cannot, and its half-begun upload is cancelled (P-21)', async () => {
    for (const status of ['404 Not Found', '405 Not Allowed']) {
      await withStub(answerOf(status), async (source) => {
        assert.equal(await source.mount(repository, repositoryOf('a/b'), blob), undefined);
      });
    }
    await withStub(answerOf('500 Oops'), async (source) => {
      await assert.rejects(source.mount(repository, repositoryOf('a/b'), blob), AWAY);
    });
    const script: Script = (request, socket) => {
      const isPost = request.line.startsWith('POST');
      socket.write(
        isPost ? answerOf('202 Accepted', ['Location: /v2/u/9']) : 'HTTP/1.1 204 No Content\r\n\r\n',
      );
    };
    await withStub(script, async (source, stub) => {
      assert.equal(await source.mount(repository, repositoryOf('a/b'), blob), undefined);
      const [post, cancel] = stub.requests;
      assert.equal(
        post?.line,
        `POST /v2/team/app/blobs/uploads/?mount=${blob.replace(':', '%3A')}&from=a%2Fb HTTP/1.1`,
      );
      assert.equal(cancel?.line, 'DELETE /v2/u/9 HTTP/1.1');
    });
  });

  it('sends a deletion without any body (0.1)', async () => {
    await withStub('HTTP/1.1 204 No Content\r\n\r\n', async (source, stub) => {
      assert.equal(await source.cancelUpload(repository, '/v2/u/1'), true);
      assert.match(stub.received(), /^DELETE \/v2\/u\/1 HTTP\/1\.1\r\n[\s\S]*\r\n\r\n$/);
      assert.doesNotMatch(stub.received(), /transfer-encoding|content-length: [^0]/i);
    });
  });
});

describe('a list without end', () => {
  it('is given up', async () => {
    let count = 0;
    const script: Script = (_request, socket) => {
      count += 1;
      const link = `Link: </v2/_catalog?last=r${count}>; rel="next"`;
      socket.write(answerOf('200 OK', [link], JSON.stringify({ repositories: [`r${count}`] })));
    };
    await withStub(script, async (source) => {
      await assert.rejects(source.listRepositories({ limit: 10 }), PROTOCOL);
      assert.ok(count <= 1000);
    });
  });
});

describe('readiness', () => {
  it('is not given by an answer other than 200', async () => {
    await withStub(answerOf('404 Not Found'), async (source) => {
      assert.deepEqual(await source.check(), {
        isHealthy: false,
        note: 'the registry behind this gateway answers /v2/ with 404',
      });
    });
  });
});
