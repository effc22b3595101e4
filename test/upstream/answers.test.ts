import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import {
  type Digest,
  MANIFEST_BYTES_MAX,
  MEDIA_TYPES,
  parseDigest,
  parseManifest,
} from '../../src/oci/index.ts';
import { accepted, refused, repositoryOf, tagOf } from '../contracts/source-bench.ts';
import { digestOf } from '../support/image.ts';
import { receiveUpload } from '../support/upload-body.ts';
import { answerOf, type Script, withStub } from './stub.ts';

const repository = repositoryOf('team/app');
const tag = tagOf('v1');
const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.ociManifest,
  config: { mediaType: MEDIA_TYPES.ociConfig, size: 2, digest: digestOf(Buffer.from('{}')) },
  layers: [],
});
const digest = digestOf(Buffer.from(MANIFEST));
const TYPE = `Content-Type: ${MEDIA_TYPES.ociManifest}`;
const PROTOCOL = { code: 'DG_UPSTREAM_PROTOCOL', status: 502 };
const AWAY = { code: 'DG_UPSTREAM_UNAVAILABLE', status: 503 };

describe('a manifest from upstream', () => {
  it('is asked for in all four types and unencoded (V-09, P-11, H-37)', async () => {
    await withStub(answerOf('200 OK', [TYPE], MANIFEST), async (source, stub) => {
      const manifest = await source.readManifest(repository, digest);
      assert.equal(Buffer.from(manifest?.bytes ?? []).toString(), MANIFEST);
      assert.equal(manifest?.mediaType, MEDIA_TYPES.ociManifest);
      const [request] = stub.requests;
      assert.equal(request?.line, `GET /v2/team/app/manifests/${digest} HTTP/1.1`);
      const accept = request?.headers.find((header) => header.startsWith('accept: ')) ?? '';
      for (const type of [MEDIA_TYPES.ociManifest, MEDIA_TYPES.ociIndex, MEDIA_TYPES.dockerManifest]) {
        assert.ok(accept.includes(type));
      }
      assert.ok(accept.includes(MEDIA_TYPES.dockerIndex));
      assert.ok(!accept.includes(MEDIA_TYPES.dockerSchema1));
      assert.ok(request?.headers.includes('accept-encoding: identity'));
    });
  });

  const other = digestOf(Buffer.from('other'));
  const wrong: readonly [string, string][] = [
    ['of other bytes than asked (V-09)', answerOf('200 OK', [TYPE], `${MANIFEST} `)],
    [
      'whose header names another digest (V-09)',
      answerOf('200 OK', [TYPE, `Docker-Content-Digest: ${other}`], MANIFEST),
    ],
    ['with a malformed digest', answerOf('200 OK', [TYPE, 'Docker-Content-Digest: sha256:zz'], MANIFEST)],
    [
      'with two digests',
      answerOf(
        '200 OK',
        [TYPE, `Docker-Content-Digest: ${digest}`, `Docker-Content-Digest: ${digest}`],
        MANIFEST,
      ),
    ],
    ['that is a page of HTML (P-15)', answerOf('200 OK', ['Content-Type: text/html'], '<html>Oops</html>')],
    [
      'compressed unasked (P-11)',
      answerOf('200 OK', [TYPE, 'Content-Encoding: gzip'], gzipSync(MANIFEST).toString('latin1')),
    ],
    ['without length or chunks (P-09)', `HTTP/1.1 200 OK\r\n${TYPE}\r\nConnection: close\r\n\r\n${MANIFEST}`],
    ['with a negative length (P-09)', `HTTP/1.1 200 OK\r\n${TYPE}\r\nContent-Length: -5\r\n\r\n${MANIFEST}`],
    ['with two lengths (P-09)', `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc`],
    [
      'with length and chunks',
      `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`,
    ],
    ['with a head of 1 MiB (P-08)', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1024 * 1024)}\r\n\r\n`],
    [
      'with a carriage return in a header (P-08)',
      `HTTP/1.1 200 OK\r\nX: a\rY: b\r\nContent-Length: 0\r\n\r\n`,
    ],
    ['with status 99 (P-08)', 'HTTP/1.1 99 Odd\r\nContent-Length: 0\r\n\r\n'],
    ['with status 999 (P-08)', answerOf('999 Odd')],
    ['in HTTP/0.9 (P-08)', MANIFEST],
    [
      'with a switch of protocols',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    ],
    ['with an unexpected success', answerOf('204 No Content')],
  ];
  for (const [what, answer] of wrong) {
    it(`is a 502 when it comes ${what}`, async () => {
      const script: Script = (_request, socket) => {
        const isOpenEnded = answer.includes('Connection: close') || answer === MANIFEST;
        if (isOpenEnded) socket.end(answer, 'latin1');
        else socket.write(answer, 'latin1');
      };
      await withStub(script, async (source) => {
        await assert.rejects(source.readManifest(repository, digest), PROTOCOL);
      });
    });
  }

  for (const [what, answer] of [
    [
      'shorter than its length (P-09)',
      `HTTP/1.1 200 OK\r\n${TYPE}\r\nContent-Length: 9999\r\n\r\n${MANIFEST}`,
    ],
    [
      'without its last chunk (P-10)',
      `HTTP/1.1 200 OK\r\n${TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`,
    ],
    [
      'in HTTP/1.0 and ends early (P-10)',
      `HTTP/1.0 200 OK\r\n${TYPE}\r\nContent-Length: 9999\r\n\r\n${MANIFEST}`,
    ],
  ] as const) {
    it(`is a fault when it comes ${what}`, async () => {
      await withStub(
        (_request, socket) => void socket.end(answer),
        async (source) => {
          await assert.rejects(source.readManifest(repository, digest), { name: 'UpstreamUnavailable' });
        },
      );
    });
  }

  for (const framing of ['length', 'chunks'] as const) {
    it(`of more than 4 MiB is refused without reading on, by its ${framing} (V-14)`, async () => {
      const piece = Buffer.alloc(64 * 1024, 32);
      let sent = 0;
      const script: Script = (_request, socket) => {
        const head = framing === 'length' ? 'Content-Length: 100000000' : 'Transfer-Encoding: chunked';
        socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`);
        const more = () => {
          while (!socket.destroyed && sent < 100_000_000) {
            sent += piece.length;
            if (framing === 'chunks') socket.write(`${piece.length.toString(16)}\r\n`);
            const isGoingOn = socket.write(piece);
            if (framing === 'chunks') socket.write('\r\n');
            if (!isGoingOn) return void socket.once('drain', more);
          }
        };
        more();
      };
      await withStub(script, async (source) => {
        await assert.rejects(source.readManifest(repository, digest), PROTOCOL);
        assert.ok(sent < 4 * MANIFEST_BYTES_MAX, `${sent} bytes were taken`);
      });
    });
  }

  it('of exactly 4 MiB is read (V-14)', async () => {
    const text = MANIFEST.padEnd(MANIFEST_BYTES_MAX, ' ');
    await withStub(answerOf('200 OK', [TYPE], text), async (source) => {
      const manifest = await source.readManifest(repository, digestOf(Buffer.from(text)));
      assert.equal(manifest?.bytes.length, MANIFEST_BYTES_MAX);
    });
  });

  it('keeps the type inside where a file server states none of a manifest', async () => {
    await withStub(
      answerOf('200 OK', ['Content-Type: application/octet-stream'], MANIFEST),
      async (source) => {
        assert.equal((await source.readManifest(repository, digest))?.mediaType, MEDIA_TYPES.ociManifest);
      },
    );
  });

  it('is hashed when a tag is asked for and the upstream states no digest', async () => {
    await withStub(answerOf('200 OK', [TYPE]), async (source, stub) => {
      assert.equal(await source.resolve(repository, tag), digestOf(Buffer.from('')));
      assert.deepEqual(
        stub.requests.map(({ line }) => line.split(' ')[0]),
        ['HEAD', 'GET'],
      );
    });
  });

  it('has no digest to a tag whose header is malformed', async () => {
    await withStub(answerOf('200 OK', ['Docker-Content-Digest: latest']), async (source) => {
      await assert.rejects(source.resolve(repository, tag), PROTOCOL);
    });
  });
});

describe('a connection to the upstream', () => {
  it('never carries what follows an answer into the next one (P-08, P-09)', async () => {
    const forged = answerOf('200 OK', [`Docker-Content-Digest: ${digest}`]);
    const script: Script = (request, socket) => {
      socket.write(
        request.line.includes('/one') ? `${answerOf('404 Not Found')}${forged}` : answerOf('404 Not Found'),
      );
    };
    await withStub(script, async (source) => {
      for (let turn = 0; turn < 5; turn += 1) {
        await source.resolve(repository, tagOf('one')).catch(() => undefined);
        assert.equal(await source.resolve(repository, tagOf('two')), undefined);
      }
    });
  });

  it('is used again for each tag that is resolved', async () => {
    const found = answerOf('200 OK', [`Docker-Content-Digest: ${digest}`]);
    await withStub(found, async (source, stub) => {
      for (let turn = 0; turn < 20; turn += 1) assert.equal(await source.resolve(repository, tag), digest);
      // Two may take turns: one is free again a moment after its answer.
      assert.ok(new Set(stub.requests.map(({ connection }) => connection)).size <= 2);
    });
  });

  it("is closed after a HEAD of a blob: a body that wrongly follows is anybody's bytes (P-08)", async () => {
    await withStub(answerOf('404 Not Found'), async (source, stub) => {
      for (let turn = 0; turn < 3; turn += 1) await source.findBlob(repository, digest);
      assert.deepEqual(
        stub.requests.map(({ connection }) => connection),
        [0, 1, 2],
      );
    });
  });

  it('is made anew when the kept one was closed meanwhile', async () => {
    const script: Script = (request, socket) => {
      if (request.index === 1) socket.resetAndDestroy();
      else socket.write(answerOf('404 Not Found'));
    };
    await withStub(script, async (source, stub) => {
      assert.equal(await source.resolve(repository, tag), undefined);
      assert.equal(await source.resolve(repository, tag), undefined);
      assert.equal(stub.requests.length, 3);
    });
  });

  it('is tried twice for a question, once for a deletion and an upload (F-35)', async () => {
    const script: Script = (request, socket) => {
      const isQuestion = request.line.startsWith('HEAD');
      socket.write(answerOf(isQuestion && request.index === 1 ? '200 OK' : '502 Bad Gateway'));
    };
    await withStub(script, async (source, stub) => {
      await assert.rejects(source.removeManifest(repository, digest), AWAY);
      await assert.rejects(source.startUpload(repository, 'sha256', 'u1'), AWAY);
      assert.deepEqual(
        stub.requests.map(({ line }) => line.split(' ')[0]),
        ['HEAD', 'HEAD', 'DELETE', 'POST'],
      );
    });
  });

  it('passes on how long to wait, and asks no second time (P-13)', async () => {
    for (const [status, ociCode] of [
      [429, 'TOOMANYREQUESTS'],
      [503, 'UNAVAILABLE'],
    ] as const) {
      await withStub(answerOf(`${status} Later`, ['Retry-After: 17']), async (source, stub) => {
        await assert.rejects(source.resolve(repository, tag), {
          status,
          ociCode,
          headers: { 'Retry-After': '17' },
        });
        assert.equal(stub.requests.length, 1);
      });
      await withStub(
        answerOf(`${status} Later`, ['Retry-After: Fri, 31 Dec 1999 23:59:59 GMT']),
        async (source) => {
          await assert.rejects(source.resolve(repository, tag), { status, headers: { 'Retry-After': '5' } });
        },
      );
    }
  });

  it('that is silent is given up in time, and one that only announces too (F-32, P-08)', async () => {
    const scripts: readonly Script[] = [
      () => undefined,
      (_request, socket) => {
        const flood = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 10);
        socket.on('close', () => clearInterval(flood));
      },
      (_request, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
    ];
    for (const script of scripts) {
      await withStub(
        script,
        async (source) => {
          await assert.rejects(source.readManifest(repository, digest), AWAY);
        },
        { timeouts: { answerMs: 80 } },
      );
    }
  });

  it('may bring an answer byte by byte (F-32)', async () => {
    const script: Script = async (_request, socket) => {
      for (const byte of answerOf('200 OK', [TYPE], MANIFEST)) {
        await new Promise((resolve) => socket.write(byte, resolve));
      }
    };
    await withStub(script, async (source) => {
      assert.ok(await source.readManifest(repository, digest));
    });
  });

  it('is not waited for by more than so many requests', async () => {
    await withStub(
      () => undefined,
      async (source) => {
        const results = await Promise.allSettled(
          Array.from({ length: 5 }, () => source.resolve(repository, tag)),
        );
        const problems = results.map((result) =>
          result.status === 'rejected' ? String(result.reason) : 'answered',
        );
        assert.equal(problems.filter((problem) => problem.includes('asked too much at once')).length, 2);
      },
      { connectionsMax: 1, waitingMax: 2, timeouts: { answerMs: 100 } },
    );
  });

  it('gives a fault that names no host (R5)', async () => {
    await withStub(
      (_request, socket) => void socket.destroy(),
      async (source) => {
        const { note } = await source.check();
        assert.doesNotMatch(note, /127\.0\.0\.1|localhost|:\d/);
      },
    );
  });
});

describe('a blob from upstream', () => {
  const bytes = 'x'.repeat(5000);
  const blob = digestOf(Buffer.from(bytes));

  async function read(script: Script | string, options = {}): Promise<Buffer | undefined> {
    let read: Buffer | undefined;
    await withStub(
      script,
      async (source) => {
        const opened = await source.openBlob(repository, blob);
        read = opened && (await buffer(opened.stream));
      },
      options,
    );
    return read;
  }

  const chunked = (parts: readonly string[]) =>
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${parts
      .map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
      .join('')}`;

  it('comes whole, with its length or in chunks whose sum a HEAD told', async () => {
    assert.equal((await read(answerOf('200 OK', [], bytes)))?.toString(), bytes);
    const head = answerOf('200 OK', [], bytes).replace(bytes, '');
    const script: Script = (request, socket) => {
      socket.write(request.line.startsWith('HEAD') ? head : chunked([bytes, '']));
    };
    assert.equal((await read(script))?.toString(), bytes);
  });

  for (const [what, length, parts] of [
    ['fewer', 5001, [bytes, '']],
    ['more', 4999, [bytes, '']],
  ] as const) {
    it(`destroys the stream when it has ${what} bytes than it should (P-09, P-10)`, async () => {
      const script: Script = (request, socket) => {
        socket.write(
          request.line.startsWith('HEAD')
            ? `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`
            : chunked(parts),
        );
      };
      await assert.rejects(read(script), PROTOCOL);
    });
  }

  for (const how of ['end', 'resetAndDestroy'] as const) {
    it(`destroys the stream when the connection is cut by ${how} (P-09, P-10, F-33)`, async () => {
      for (const answer of [`HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhalf`, chunked(['half'])]) {
        const script: Script = (request, socket) => {
          if (request.line.startsWith('HEAD'))
            socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n');
          else socket.write(answer, () => socket[how]());
        };
        await assert.rejects(read(script), { name: 'UpstreamUnavailable' });
      }
    });
  }

  it('destroys the stream when it stands still (F-32)', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhalf';
    await assert.rejects(read(answer, { timeouts: { idleMs: 100 } }), AWAY);
  });

  it('is refused without length, in an encoding, or when its chunks have no HEAD', async () => {
    await assert.rejects(
      read((_request, socket) => void socket.end(`HTTP/1.1 200 OK\r\n\r\n${bytes}`)),
      PROTOCOL,
    );
    await assert.rejects(read(answerOf('200 OK', ['Content-Encoding: gzip'], bytes)), PROTOCOL);
    await assert.rejects(
      read((request, socket) => {
        socket.write(request.line.startsWith('HEAD') ? answerOf('404 Not Found') : chunked([bytes, '']));
      }),
      PROTOCOL,
    );
  });

  it('has a size or is none', async () => {
    await withStub('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', async (source) => {
      await assert.rejects(source.findBlob(repository, blob), PROTOCOL);
    });
  });

  it('that the reader gives up lets go of its connection', async () => {
    const closed = Promise.withResolvers<void>();
    const script: Script = (_request, socket) => {
      socket.on('close', () => closed.resolve());
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhalf');
    };
    await withStub(script, async (source) => {
      const opened = await source.openBlob(repository, blob);
      opened?.stream.destroy();
      await closed.promise;
    });
  });
});

describe('the place of an upload', () => {
  const start = (location: string) => answerOf('202 Accepted', [`Location: ${location}`, 'Range: 0-0']);

  for (const location of [
    'http://evil.example/v2/team/app/blobs/uploads/1',
    '//evil.example/v2/x',
    'http://127.0.0.1:1/v2/x',
    'file:///etc/passwd',
    'http://user:secret@HOST/v2/x',
    '/v2/a//b',
    '/v2/a|b',
    `/v2/${'x'.repeat(5000)}`,
    '',
  ]) {
    it(`is a 502 at ${JSON.stringify(location.slice(0, 60))} (P-05)`, async () => {
      const script: Script = (request, socket) => {
        const host = request.headers.find((header) => header.startsWith('host: '))?.slice(6) ?? '';
        socket.write(start(location.replace('HOST', host)));
      };
      await withStub(script, async (source) => {
        await assert.rejects(source.startUpload(repository, 'sha256', 'u1'), PROTOCOL);
      });
    });
  }

  it('may be a path, or another scheme of the same host; only path and query are kept (P-05)', async () => {
    const script: Script = (request, socket) => {
      const host = request.headers.find((header) => header.startsWith('host: '))?.slice(6) ?? '';
      const location =
        request.index === 0 ? '/v2/team/app/blobs/uploads/1?_state=a' : `https://${host}/v2/x?y=1`;
      socket.write(start(location));
    };
    await withStub(script, async (source) => {
      assert.equal(
        accepted(await source.startUpload(repository, 'sha256', 'u1')).state,
        '/v2/team/app/blobs/uploads/1?_state=a#0',
      );
      assert.equal(accepted(await source.startUpload(repository, 'sha256', 'u1')).state, '/v2/x?y=1#0');
    });
  });

  it('is asked with the upstream path, then sent to with our own headers', async () => {
    const script: Script = async (request, socket, body) => {
      await body;
      socket.write(
        request.line.startsWith('PATCH')
          ? answerOf('202 Accepted', ['Location: /v2/u/2', 'Range: 0-2'])
          : answerOf('200 OK'),
      );
    };
    await withStub(script, async (source, stub) => {
      const received = await receiveUpload({ chunks: ['abc'] });
      assert.deepEqual(await source.appendUpload(repository, '/v2/u/1?s=a#0', received.body), {
        state: '/v2/u/2#3',
        offset: 3,
      });
      received.close();
      assert.deepEqual(
        stub.requests.map(({ line }) => line),
        ['GET /v2/ HTTP/1.1', 'PATCH /v2/u/1?s=a HTTP/1.1'],
      );
    });
  });

  const refusals: readonly [string, string, number][] = [
    ['400 Bad', 'BLOB_UPLOAD_INVALID', 400],
    ['403 Forbidden', 'DENIED', 403],
    ['404 Not Found', 'BLOB_UPLOAD_UNKNOWN', 404],
    ['413 Too Large', 'SIZE_INVALID', 413],
    ['416 Range', 'BLOB_UPLOAD_INVALID', 416],
  ];
  for (const [status, code, ours] of refusals) {
    it(`answers ${code} where the upstream says ${status}, in our own words`, async () => {
      const body = JSON.stringify({ errors: [{ code: 'X', message: 'see http://inside.corp/' }] });
      const script: Script = async (request, socket, sent) => {
        await sent;
        socket.write(request.line.startsWith('PATCH') ? answerOf(status, [], body) : answerOf('200 OK'));
      };
      await withStub(script, async (source) => {
        const received = await receiveUpload({ chunks: ['abc'] });
        const refusal = refused(await source.appendUpload(repository, '/v2/u/1', received.body));
        assert.deepEqual([refusal.code, refusal.status], [code, ours]);
        assert.doesNotMatch(refusal.message, /inside/);
        received.close();
      });
    });
  }
});

describe('a list from upstream', () => {
  it('is followed by the `last` of its Link only, wherever that points (P-06)', async () => {
    const script: Script = (request, socket) => {
      const isFirst = !request.line.includes('last=');
      const link = 'Link: <http://evil.example/steal?n=1000&last=b>; rel="next"';
      const tags = isFirst ? ['b', 'a', 'not a tag', '../x'] : ['c'];
      socket.write(answerOf('200 OK', isFirst ? [link] : [], JSON.stringify({ name: 'team/app', tags })));
    };
    await withStub(script, async (source, stub) => {
      assert.deepEqual(await source.listTags(repository, { limit: 10 }), ['a', 'b', 'c']);
      assert.deepEqual(
        stub.requests.map(({ line }) => line),
        ['GET /v2/team/app/tags/list?n=1000 HTTP/1.1', 'GET /v2/team/app/tags/list?n=1000&last=b HTTP/1.1'],
      );
    });
  });

  it('ends when its Link goes in a circle', async () => {
    const body = JSON.stringify({ repositories: ['a/b'] });
    await withStub(
      answerOf('200 OK', ['Link: </v2/_catalog?last=x>; rel="next"'], body),
      async (source, stub) => {
        assert.deepEqual(await source.listRepositories({ limit: 10 }), ['a/b']);
        assert.equal(stub.requests.length, 2);
      },
    );
  });

  for (const body of ['', '[]', '{"tags":{}}', '{"tags":[1]}', '{"tags":["a"],"Tags":["b"]}', '<html>']) {
    it(`is a 502 when it reads ${JSON.stringify(body)}`, async () => {
      await withStub(answerOf('200 OK', [], body), async (source) => {
        await assert.rejects(source.listTags(repository, { limit: 10 }), PROTOCOL);
      });
    });
  }

  it('is empty when it is null', async () => {
    await withStub(answerOf('200 OK', [], '{"tags":null}'), async (source) => {
      assert.deepEqual(await source.listTags(repository, { limit: 10 }), []);
    });
  });
});

describe('a digest of another algorithm', () => {
  it('is checked over the bytes by itself (N-12)', async () => {
    const sha512 = parseDigest(`sha512:${createHash('sha512').update(MANIFEST).digest('hex')}`);
    assert.ok(sha512);
    const answer = answerOf('200 OK', [TYPE, `Docker-Content-Digest: ${digest}`], MANIFEST);
    await withStub(answer, async (source) => {
      assert.ok(await source.readManifest(repository, sha512));
      const wrong: Digest | undefined = parseDigest(`sha512:${'0'.repeat(128)}`);
      assert.ok(wrong);
      await assert.rejects(source.readManifest(repository, wrong), PROTOCOL);
    });
  });

  for (const [stated, sent] of [
    [['OCI-Tag: v1', 'OCI-Tag: v2'], ['DIGEST?tag=v1&tag=v2']],
    [['OCI-Tag: v1, v2'], ['DIGEST?tag=v1&tag=v2']],
    [['OCI-Tag: v2'], ['DIGEST?tag=v1&tag=v2', 'v1']],
    [[], ['DIGEST?tag=v1&tag=v2', 'v1', 'v2']],
  ] as const) {
    it(`is pushed with its tags as parameters; by tag what the upstream says nothing of: ${stated.join('; ')}`, async () => {
      const sha512 = parseDigest(`sha512:${createHash('sha512').update(MANIFEST).digest('hex')}`);
      const read = parseManifest(Buffer.from(MANIFEST), undefined);
      assert.ok(sha512 && read.ok);
      const push = {
        repository,
        digest: sha512,
        tags: [tagOf('v1'), tagOf('v2')],
        tagRights: { mayCreate: true, mayOverwrite: true },
        pushedBy: 'u1',
      };
      const { mediaType } = read.manifest;
      await withStub(answerOf('201 Created', stated), async (source, stub) => {
        const pushed = { ...push, mediaType, bytes: Buffer.from(MANIFEST), manifest: read.manifest };
        assert.equal(await source.pushManifest(pushed), undefined);
        const base = `/v2/${repository}/manifests/`;
        assert.deepEqual(
          stub.requests.map(({ line }) => line),
          sent.map((path) => `PUT ${base}${path.replace('DIGEST', sha512)} HTTP/1.1`),
        );
      });
    });
  }
});
