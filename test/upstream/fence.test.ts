import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import httpProxy from 'http-proxy';
import { silentLogger, systemClock } from '../../src/base/index.ts';
import { parseDigest } from '../../src/oci/index.ts';
import { createUpstream } from '../../src/upstream/index.ts';
import { readTarget } from '../../src/upstream/options.ts';
import { createUploadProxy, type UploadCall } from '../../src/upstream/proxy.ts';
import { pushImage, repositoryOf, tagOf } from '../contracts/source-bench.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { digestOf } from '../support/image.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { receiveUpload, type UploadShape } from '../support/upload-body.ts';
import { benchOf } from './bench.ts';

/*
 * Threats, chapter 0: each hole of http-proxy 1.18.1 twice. First the bare package, which must still have it
 * (when one of these fails, the package was mended and the fence can be looked at again); then our fence
 * around it.
 */

const OK = 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n';
const SMUGGLED = 'GET /v2/secret/manifests/latest HTTP/1.1\r\nHost: x\r\n\r\n';
const STATE = '/v2/pub/app/blobs/uploads/1?_state=abc';

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** The package as its own documentation uses it. `hook` is what a gateway would do in `proxyReq`. */
async function startBareFront(
  upstream: string,
  options: { readonly isAllowed?: (path: string) => boolean; readonly isBusy?: boolean } = {},
) {
  // As one would for speed; without it the package says Connection: close and this registry reads no further.
  const agent = new Agent({ keepAlive: true });
  let hookCount = 0;
  const proxy = httpProxy.createProxyServer({ target: upstream, agent });
  proxy.on('proxyReq', (outgoing) => {
    hookCount += 1;
    outgoing.removeHeader('authorization');
  });
  proxy.on('error', (_error, _request, response) => response.destroy());
  // Node drops the connection when it reads the first answer; a front that is busy just then reads it later,
  // and the registry has time for the second request.
  const pause = new Int32Array(new SharedArrayBuffer(4));
  if (options.isBusy) proxy.on('proxyRes', () => void Atomics.wait(pause, 0, 0, 200));
  const front = createServer((request, response) => {
    if (options.isAllowed?.(request.url ?? '') === false) return void response.writeHead(403).end();
    proxy.web(request, response);
  });
  const port = await listening(front);
  opened.push(() => {
    front.closeAllConnections();
    front.close();
    agent.destroy();
  });
  return { port, hookCount: () => hookCount };
}

/** Sends raw bytes and collects what comes back until the end, or until the time is over. */
async function rawExchange(port: number, text: string, waitMs: number) {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  let isEnded = false;
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  const ended = new Promise<void>((resolve) => {
    socket.on('close', () => {
      isEnded = true;
      resolve();
    });
  });
  socket.write(text);
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    ended,
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs);
    }),
  ]);
  clearTimeout(timer);
  socket.destroy();
  return { received, isEnded };
}

function chunkedRequest(
  line: string,
  body: string,
  headers: readonly string[] = ['Connection: close'],
): string {
  const head = [line, 'Host: gateway', 'Transfer-Encoding: chunked', ...headers].join('\r\n');
  return `${head}\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
}

/** What a test has opened; ended after it, also when it failed half-way. */
const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function openStub(answer: Parameters<typeof startRawUpstream>[0]): Promise<RawUpstream> {
  const stub = await startRawUpstream(answer);
  opened.push(() => stub.close());
  return stub;
}

async function openUpload(shape: UploadShape) {
  const received = await receiveUpload(shape);
  opened.push(() => received.close());
  return received;
}

function openProxy(upstream: RawUpstream, timeouts: Partial<typeof TIMEOUTS> = {}) {
  const proxy = createUploadProxy(readTarget({ url: upstream.url, timeouts: { ...TIMEOUTS, ...timeouts } }));
  opened.push(() => proxy.close());
  return proxy;
}

async function openRegistry() {
  const registry = await startDockerRegistry();
  opened.push(() => registry.stop());
  const source = createUpstream({ url: registry.url }, { clock: systemClock, logger: silentLogger });
  opened.push(() => source.close());
  return { registry, source };
}

const TIMEOUTS = { connectMs: 2000, answerMs: 2000, commitMs: 2000, idleMs: 2000 };

/**
 * Sends an upload through the fence as the gateway would, the client's request being as hostile as `shape`
 * says.
 */
async function sendFenced(upstream: RawUpstream, shape: UploadShape, call: Partial<UploadCall> = {}) {
  const proxy = openProxy(upstream);
  const received = await openUpload(shape);
  return proxy.send({
    method: 'PATCH',
    path: STATE,
    authorization: 'Basic b3Vycw==',
    body: received.body,
    waitMsMax: 1000,
    ...call,
  });
}

async function withStub(run: (stub: RawUpstream) => Promise<void>, answer = OK): Promise<void> {
  const stub = await openStub(async (_request, socket, body) => {
    await body;
    socket.write(answer);
  });
  await run(stub);
}

function headerNames(stub: RawUpstream): readonly string[] {
  const [request] = stub.requests;
  assert.ok(request);
  return request.headers.map((header) => header.slice(0, header.indexOf(':')).toLowerCase()).sort();
}

const FENCED_HEADERS = [
  'accept-encoding',
  'authorization',
  'connection',
  'content-type',
  'host',
  'transfer-encoding',
  'user-agent',
];

describe('the bare http-proxy 1.18.1', () => {
  for (const method of ['DELETE', 'OPTIONS']) {
    it(`smuggles a second request in the chunk of a ${method} (0.1, H-19, H-20)`, async () => {
      await withStub(async (stub) => {
        const front = await startBareFront(stub.url);
        await rawExchange(
          front.port,
          chunkedRequest(`${method} /v2/pub/app/manifests/x HTTP/1.1`, SMUGGLED),
          500,
        );
        assert.deepEqual(
          stub.requests.map(({ line }) => line),
          [`${method} /v2/pub/app/manifests/x HTTP/1.1`, 'GET /v2/secret/manifests/latest HTTP/1.1'],
        );
      });
    });
  }

  it('does not call its hook under Expect: 100-continue, so that the token of a client goes on (0.2, H-22)', async () => {
    await withStub(async (stub) => {
      const front = await startBareFront(stub.url);
      const headers = ['Expect: 100-continue', 'Authorization: Bearer of-the-client'];
      await rawExchange(front.port, chunkedRequest('PUT /v2/a HTTP/1.1', 'x', headers), 500);
      assert.equal(front.hookCount(), 0);
      assert.match(stub.received(), /authorization: Bearer of-the-client/i);
    });
  });

  it('sends paths as they are, or otherwise than they were checked (0.3, H-01, H-02, H-06)', async () => {
    const sent: readonly [string, string][] = [
      ['/v2/pub/../secret/manifests/l', '/v2/pub/../secret/manifests/l'],
      ['/v2/pub/%2e%2e/secret/manifests/l', '/v2/pub/%2e%2e/secret/manifests/l'],
      ['/v2/secret%2fapp/manifests/l', '/v2/secret%2fapp/manifests/l'],
      ['/v2/pub\\..\\secret', '/v2/pub/../secret'],
      ['//host/x', '/host/x'],
      ['/v2/a#/../b', '/v2/a'],
    ];
    await withStub(async (stub) => {
      const front = await startBareFront(stub.url);
      for (const [path] of sent) {
        await rawExchange(front.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 500);
      }
      assert.deepEqual(
        stub.requests.map(({ line }) => line.split(' ')[1]),
        sent.map(([, path]) => path),
      );
    });
  });

  it('sends an absolute form as its path (0.4, H-11) and takes the first of two Hosts (0.6, H-13)', async () => {
    await withStub(async (stub) => {
      const front = await startBareFront(stub.url);
      const request =
        'GET http://evil.example/v2/b HTTP/1.1\r\nHost: one\r\nHost: two\r\nConnection: close\r\n\r\n';
      await rawExchange(front.port, request, 500);
      assert.equal(stub.requests[0]?.line, 'GET /v2/b HTTP/1.1');
      assert.match(stub.received(), /host: one/i);
    });
  });

  it('forwards hop-by-hop headers and those that Connection names (0.5, H-23, H-25)', async () => {
    await withStub(async (stub) => {
      const front = await startBareFront(stub.url);
      const headers = [
        'Connection: close, upgrade, x-dockgate-user',
        'X-Dockgate-User: admin',
        'Upgrade: h2c',
      ];
      const request = ['POST /v2/a HTTP/1.1', 'Host: x', 'Content-Length: 0', ...headers].join('\r\n');
      await rawExchange(front.port, `${request}\r\n\r\n`, 500);
      assert.match(stub.received(), /upgrade: h2c/i);
      assert.match(stub.received(), /x-dockgate-user: admin/i);
    });
  });

  for (const [what, head] of [
    ['with Content-Length', 'Content-Length: 100\r\n\r\nhalf'],
    ['chunked', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ] as const) {
    it(`leaves the client hanging when an answer ${what} is cut (0.7, P-09, P-10)`, async () => {
      const stub = await openStub((_request, socket) => {
        socket.end(`HTTP/1.1 200 OK\r\n${head}`);
      });
      const front = await startBareFront(stub.url);
      const answer = await rawExchange(
        front.port,
        'GET /v2/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
        400,
      );
      assert.match(answer.received, /half/);
      assert.equal(answer.isEnded, false);
    });
  }

  it('ends an answer without length cleanly when it is cut, so that it looks whole (0.7, P-10)', async () => {
    const stub = await openStub((_request, socket) => {
      socket.end('HTTP/1.1 200 OK\r\n\r\nhalf');
    });
    const front = await startBareFront(stub.url);
    const answer = await rawExchange(
      front.port,
      'GET /v2/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      2000,
    );
    assert.match(answer.received, /4\r\nhalf\r\n0\r\n\r\n$/);
  });
});

describe('the fence around http-proxy', () => {
  for (const method of ['DELETE', 'OPTIONS', 'GET', 'PATCH']) {
    it(`sends the chunk of a ${method} as the body of one request (0.1, H-19, H-20)`, async () => {
      await withStub(async (stub) => {
        const outcome = await sendFenced(stub, { method, chunks: [SMUGGLED] });
        assert.equal(outcome.kind, 'answered');
        assert.deepEqual(
          stub.requests.map(({ line }) => line),
          [`PATCH ${STATE} HTTP/1.1`],
        );
        assert.ok(stub.received().endsWith(`${SMUGGLED}\r\n0\r\n\r\n`));
      });
    });
  }

  it('sends no body but of POST, PUT and PATCH, whatever it is told (0.1)', async () => {
    await withStub(async (stub) => {
      const wrong = { method: 'DELETE' } as unknown as Partial<UploadCall>;
      await assert.rejects(sendFenced(stub, { chunks: [SMUGGLED] }, wrong), /no method of an upload/);
      assert.equal(stub.received(), '');
    });
  });

  it('shows nothing of what the client wrote beside the body (0.2, 0.4-0.6, H-13, H-22, H-23, H-25, H-26)', async () => {
    await withStub(async (stub) => {
      const outcome = await sendFenced(stub, {
        path: 'http://evil.example/v2/other/blobs/uploads/9',
        chunks: ['abc'],
        headers: [
          'Host: second',
          'Expect: 100-continue',
          'Authorization: Bearer of-the-client',
          'Cookie: session=1',
          'Connection: keep-alive, authorization, x-dockgate-user',
          'X-Dockgate-User: admin',
          'Upgrade: h2c',
          'X-Forwarded-For: 127.0.0.1',
          'X-HTTP-Method-Override: DELETE',
          'Content-Type: text/html',
          'Content-Encoding: gzip',
          'Trailer: x',
          '__proto__: x',
        ],
      });
      assert.equal(outcome.kind, 'answered');
      assert.deepEqual(headerNames(stub), FENCED_HEADERS);
      const [request] = stub.requests;
      assert.equal(request?.line, `PATCH ${STATE} HTTP/1.1`);
      assert.ok(request?.headers.includes(`host: ${stub.host}`));
      assert.ok(request?.headers.includes('authorization: Basic b3Vycw=='));
      assert.doesNotMatch(stub.received(), /of-the-client|evil|second|admin|h2c|gzip/i);
    });
  });

  it('leaves the request of the client as it was', async () => {
    await withStub(async (stub) => {
      const proxy = openProxy(stub);
      const received = await openUpload({
        chunks: ['abc'],
        headers: ['Authorization: Bearer of-the-client'],
      });
      const before = {
        url: received.request.url,
        method: received.request.method,
        ...received.request.headers,
      };
      await proxy.send({
        method: 'PUT',
        path: STATE,
        authorization: undefined,
        body: received.body,
        waitMsMax: 1000,
      });
      const { request } = received;
      assert.deepEqual({ url: request.url, method: request.method, ...request.headers }, before);
      assert.equal(request.destroyed && !request.complete, false);
      assert.equal(request.listenerCount('error'), 1, 'the one of the test');
    });
  });

  it('states length and place of a chunk when they are known, and only then', async () => {
    await withStub(async (stub) => {
      await sendFenced(stub, { chunks: ['abc'], contentLength: 3, range: { first: 5, last: 7 } });
      const [request] = stub.requests;
      assert.ok(request?.headers.includes('content-length: 3'));
      assert.ok(request?.headers.includes('content-range: 5-7'));
      assert.ok(!headerNames(stub).includes('transfer-encoding'));
    });
  });

  for (const [what, answer] of [
    ['with Content-Length', 'HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nhalf'],
    ['chunked', 'HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
    ['in its head', 'HTTP/1.1 202 Acc'],
    ['before its first byte', ''],
  ] as const) {
    for (const how of ['end', 'resetAndDestroy'] as const) {
      it(`faults when the answer is cut ${what} by ${how} and the client can still be answered (0.7)`, async () => {
        const stub = await openStub(async (_request, socket, body) => {
          await body;
          socket.write(answer, () => socket[how]());
        });
        await assert.rejects(sendFenced(stub, { chunks: ['abc'] }), {
          code: 'DG_UPSTREAM_UNAVAILABLE',
          status: 503,
          // At once, not when the time is over.
          message: /does not answer, try again/,
        });
      });
    }
  }

  it('faults when the upstream goes away in the middle of the body', async () => {
    const stub = await openStub((_request, socket) => {
      socket.resetAndDestroy();
    });
    const shape = { chunks: [Buffer.alloc(1024)], ending: 'open' } as const;
    await assert.rejects(sendFenced(stub, shape), { code: 'DG_UPSTREAM_UNAVAILABLE' });
  });

  it('gives an early answer at once and lets go of the body that still comes', async () => {
    const stub = await openStub((_request, socket) => {
      socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
    });
    const outcome = await sendFenced(stub, { chunks: ['abc'], ending: 'open' });
    assert.equal(outcome.kind, 'answered');
    assert.equal(outcome.kind === 'answered' && outcome.answer.status, 413);
  });

  it('never takes what follows an answer for the answer to the next upload (P-08)', async () => {
    const forged = 'HTTP/1.1 201 Created\r\nX-Forged: yes\r\nContent-Length: 0\r\n\r\n';
    await withStub(async (stub) => {
      const proxy = openProxy(stub);
      for (let turn = 0; turn < 3; turn += 1) {
        const received = await openUpload({ chunks: ['abc'] });
        const outcome = await proxy
          .send({
            method: 'PATCH',
            path: STATE,
            authorization: undefined,
            body: received.body,
            waitMsMax: 1000,
          })
          .catch(() => undefined);
        if (outcome?.kind === 'answered') assert.equal(outcome.answer.headers['x-forged'], undefined);
      }
      assert.deepEqual(
        stub.requests.map(({ connection }) => connection),
        [0, 1, 2],
      );
    }, `${OK}${forged}`);
  });

  it('uses a connection for one upload only', async () => {
    await withStub(async (stub) => {
      await sendFenced(stub, { chunks: ['abc'] });
      const proxy = openProxy(stub);
      for (let turn = 0; turn < 2; turn += 1) {
        const { body } = await openUpload({ chunks: ['abc'] });
        await proxy.send({ method: 'PATCH', path: STATE, authorization: undefined, body, waitMsMax: 1000 });
      }
      assert.deepEqual(
        stub.requests.map(({ connection }) => connection),
        [0, 1, 2],
      );
    });
  });

  for (const [what, answer] of [
    ['a malformed head', 'HTTP/1.1 2x2 What\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 202 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['a header without end', `HTTP/1.1 202 OK\r\nX: ${'x'.repeat(100_000)}`],
    ['a body that is too long', `HTTP/1.1 400 Bad\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`],
  ] as const) {
    it(`refuses an answer with ${what} (P-08)`, async () => {
      await withStub(async (stub) => {
        await assert.rejects(sendFenced(stub, { chunks: ['abc'] }), {
          code: 'DG_UPSTREAM_PROTOCOL',
          status: 502,
        });
      }, answer);
    });
  }
});

describe('the body of an upload', () => {
  it('that is cut by its client reaches the upstream as a cut, never as a whole (P-20)', async () => {
    const closed = Promise.withResolvers<void>();
    const stub = await openStub((_request, socket) => {
      socket.on('close', () => closed.resolve());
    });
    const outcome = await sendFenced(stub, { chunks: ['abc'], ending: 'cut' });
    assert.deepEqual(outcome, { kind: 'body', problem: 'cut' });
    if (stub.requests.length > 0) await closed.promise;
    assert.ok(!stub.received().endsWith('0\r\n\r\n'));
  });

  it('that was cut before it is asked for opens no connection', async () => {
    await withStub(async (stub) => {
      const received = await openUpload({ ending: 'cut' });
      if (!received.request.destroyed) await new Promise((resolve) => received.request.on('close', resolve));
      const proxy = openProxy(stub);
      const call = { method: 'PATCH', path: STATE, authorization: undefined, waitMsMax: 1000 } as const;
      assert.deepEqual(await proxy.send({ ...call, body: received.body }), { kind: 'body', problem: 'cut' });
      assert.equal(stub.received(), '');
    });
  });

  for (const [range, problem] of [
    [{ first: 0, last: 1 }, 'long'],
    [{ first: 0, last: 9 }, 'short'],
  ] as const) {
    it(`that is too ${problem} for its range is not finished upstream (P-20)`, async () => {
      await withStub(async (stub) => {
        const outcome = await sendFenced(stub, { chunks: ['abc'], range });
        assert.deepEqual(outcome, { kind: 'body', problem });
        assert.ok(!stub.received().endsWith('0\r\n\r\n'));
      });
    });
  }

  it('that stands still is given up as the fault of the client (H-29)', async () => {
    const stub = await openStub(() => undefined);
    const proxy = openProxy(stub, { idleMs: 60 });
    const received = await openUpload({ chunks: ['abc'], ending: 'open' });
    const call = { method: 'PATCH', path: STATE, authorization: undefined, waitMsMax: 1000 } as const;
    assert.deepEqual(await proxy.send({ ...call, body: received.body }), {
      kind: 'body',
      problem: 'stalled',
    });
  });

  it('that the upstream does not take is given up as the fault of the upstream (F-32)', async () => {
    const stub = await openStub((_request, socket) => {
      socket.pause();
    });
    const proxy = openProxy(stub, { idleMs: 100 });
    const received = await openUpload({ chunks: [Buffer.alloc(32 * 1024 * 1024)], ending: 'open' });
    const call = { method: 'PATCH', path: STATE, authorization: undefined, waitMsMax: 1000 } as const;
    await assert.rejects(proxy.send({ ...call, body: received.body }), { code: 'DG_UPSTREAM_UNAVAILABLE' });
  });

  it('that is small does not wait for a connection longer than a connection may take (F-32)', async () => {
    // Speaks no TLS: the connection is never whole.
    const stub = await openStub(() => undefined);
    const target = readTarget({
      url: stub.url.replace('http:', 'https:'),
      timeouts: { ...TIMEOUTS, connectMs: 60 },
    });
    const proxy = createUploadProxy(target);
    opened.push(() => proxy.close());
    const { body } = await openUpload({ chunks: ['abc'] });
    const call = { method: 'PATCH', path: STATE, authorization: undefined, waitMsMax: 60_000 } as const;
    await assert.rejects(proxy.send({ ...call, body }), { message: /cannot be reached/ });
  });

  it('that was taken but is not answered is given up in time (F-32)', async () => {
    const stub = await openStub(() => undefined);
    await assert.rejects(sendFenced(stub, { chunks: ['abc'] }, { waitMsMax: 60 }), {
      code: 'DG_UPSTREAM_UNAVAILABLE',
    });
  });
});

describe('a chunked DELETE in front of a real docker-registry (0.1, end to end)', () => {
  it('deletes a manifest it was not allowed to through the bare package, and does not through ours', async () => {
    const { registry, source } = await openRegistry();
    const secret = repositoryOf('secret/app');
    const image = await pushImage(benchOf(source), secret, [tagOf('v1')]);
    const isThere = async () => (await source.readManifest(secret, image.digest)) !== undefined;
    const smuggled = `DELETE /v2/secret/app/manifests/${image.digest} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const allowed = `DELETE /v2/pub/app/manifests/${digestOf(Buffer.from('x'))} HTTP/1.1`;
    const attack = (headers: readonly string[]) => chunkedRequest(allowed, smuggled, headers);

    const served = async (request: IncomingMessage, response: ServerResponse) => {
      const match = /^\/v2\/(pub\/[a-z]+)\/manifests\/(sha256:[0-9a-f]{64})$/.exec(request.url ?? '');
      const digest = parseDigest(match?.[2] ?? '');
      if (request.method !== 'DELETE' || !digest) return void response.writeHead(403).end();
      const refusal = await source.removeManifest(repositoryOf(match?.[1] ?? ''), digest);
      response.writeHead(refusal?.status ?? 202).end();
    };
    const ours = createServer((request, response) => void served(request, response));
    opened.push(() => ours.close());
    const answer = await rawExchange(await listening(ours), attack(['Connection: close']), 2000);
    assert.match(answer.received, /^HTTP\/1\.1 404/);
    assert.equal(await isThere(), true);

    const bare = await startBareFront(registry.url, {
      isAllowed: (path) => path.startsWith('/v2/pub/'),
      isBusy: true,
    });
    await rawExchange(bare.port, attack([]), 1000);
    assert.equal(await isThere(), false, 'the bare package no longer smuggles: look at the fence again');
  });

  it('reads another repository by an escaped slash through the bare package; ours cannot write such a path (0.9)', async () => {
    const { registry, source } = await openRegistry();
    await pushImage(benchOf(source), repositoryOf('secret/app'), [tagOf('v1')]);
    const bare = await startBareFront(registry.url, { isAllowed: (path) => !path.startsWith('/v2/secret/') });
    const head =
      'GET /v2/secret%2fapp/manifests/v1 HTTP/1.1\r\nHost: x\r\nAccept: application/vnd.oci.image.manifest.v1+json\r\nConnection: close\r\n\r\n';
    const answer = await rawExchange(bare.port, head, 2000);
    assert.match(answer.received, /^HTTP\/1\.1 200/);
    assert.throws(() => repositoryOf('secret%2fapp'));
  });
});
