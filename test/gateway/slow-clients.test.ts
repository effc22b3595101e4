import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { Gateway } from '../../src/gateway/handler.ts';
import { startListener, type TestListener } from '../support/listener.ts';
import { connectRaw, type RawConnection } from '../support/raw-client.ts';
import { until } from '../support/until.ts';

/** So long that a client of these tests which is merely slow, because the machine is, is not taken for an idle one. */
const IDLE_MS = 1500;
const HEADER_MS = 1500;
const GET = 'GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n';

describe('the listener, between clients and the gateway', () => {
  let handle: Gateway['handle'];
  let listener: TestListener;
  const connections: RawConnection[] = [];

  before(async () => {
    listener = await startListener(
      { headerMsMax: HEADER_MS, idleMsMax: IDLE_MS, headerBytesMax: 4096 },
      {
        gateway: { handle: (request, response, welcome) => handle(request, response, welcome) },
        others: (_request, response) => void response.writeHead(404).end(),
      },
    );
  });
  beforeEach(() => {
    listener.noted.length = 0;
  });
  afterEach(() => {
    for (const connection of connections.splice(0)) connection.destroy();
  });
  after(() => listener.drain());

  async function open(): Promise<RawConnection> {
    const connection = await connectRaw({ port: listener.port, ca: listener.ca });
    connections.push(connection);
    return connection;
  }
  const afterMs = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const reasons = () => listener.noted.map(({ reason, status }) => `${status} ${reason}`);

  it('does not cut a client that waits for us longer than the idle time', async () => {
    handle = async (_request, response) => {
      await afterMs(2 * IDLE_MS);
      response.writeHead(200, { 'content-length': '2' }).end('ok');
    };
    const connection = await open();
    connection.send(GET);
    assert.equal((await connection.waitForAnswers(1))[0]?.body, 'ok');
  });

  it('does not cut an upload that was received and is being stored', async () => {
    handle = async (request, response) => {
      for await (const _chunk of request);
      await afterMs(2 * IDLE_MS);
      response.writeHead(201, { 'content-length': '0' }).end();
    };
    const connection = await open();
    connection.send('PUT /v2/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc');
    assert.equal((await connection.waitForAnswers(1))[0]?.status, 201);
  });

  it('H-29: cuts a connection on which nothing moves', async () => {
    assert.equal(await (await open()).waitForEnd(), true);
  });

  it('H-29: cuts a body that trickles, and not one that comes as fast as it is read', async () => {
    handle = async (request, response) => {
      for await (const _chunk of request);
      response.writeHead(200, { 'content-length': '0' }).end();
    };
    const [slow, quick] = [await open(), await open()];
    const head = 'PUT /v2/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n';
    slow.send(head);
    quick.send(head);
    const timer = setInterval(() => {
      slow.send('x');
      quick.send('x'.repeat(250));
    }, 20);
    try {
      assert.equal(await slow.waitForEnd(), true);
      assert.equal(slow.answers().length, 0);
      assert.equal((await quick.waitForAnswers(1))[0]?.status, 200);
    } finally {
      clearInterval(timer);
    }
  });

  it('H-29: cuts headers that are not complete in time with 408, and records it', async () => {
    const startedAtMs = performance.now();
    const connection = await open();
    connection.send('GET /v2/');
    const timer = setInterval(() => connection.send('a'), 50);
    try {
      assert.equal((await connection.waitForAnswers(1))[0]?.status, 408);
      // Node looks every thirty seconds by itself.
      assert.ok(performance.now() - startedAtMs < 20_000, 'late headers were looked for too late');
    } finally {
      clearInterval(timer);
    }
    assert.deepEqual(reasons(), ['408 http.ERR_HTTP_REQUEST_TIMEOUT']);
  });

  it('H-30: cuts a TLS handshake that does not end, and records it once', async () => {
    const socket = connectTcp({ host: '127.0.0.1', port: listener.port }).resume();
    socket.on('error', () => undefined);
    await until(() => socket.closed, 'the handshake is cut');
    assert.deepEqual(reasons(), ['0 tls.ERR_TLS_HANDSHAKE_TIMEOUT']);
  });

  it('records what is no request once, however much of it comes', async () => {
    const connection = await open();
    for (let part = 0; part < 5; part++) connection.send('\0 no request \r\n'.repeat(100));
    assert.equal(await connection.waitForEnd(), true);
    assert.deepEqual(reasons(), ['400 http.HPE_INVALID_METHOD']);
  });

  it('H-13: refuses a request without Host, and records it', async () => {
    const connection = await open();
    connection.send('GET /v2/ HTTP/1.1\r\n\r\n');
    assert.equal((await connection.waitForAnswers(1))[0]?.status, 400);
    assert.deepEqual(reasons(), ['400 host.missing']);
  });

  it('writes no refusal into an answer that is on its way', async () => {
    handle = async (_request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('12345');
    };
    const connection = await open();
    connection.send(GET);
    await once(connection.socket, 'data');
    connection.send('\0\r\n\r\n');
    assert.equal(await connection.waitForEnd(), true);
    assert.doesNotMatch(connection.received(), /Rejected/);
  });

  it('leaves the record of a broken body to its request', async () => {
    const ended = Promise.withResolvers<string>();
    handle = async (request) => {
      try {
        for await (const _chunk of request);
      } catch {
        // What the gateway would record.
        ended.resolve('cut');
      }
    };
    const connection = await open();
    connection.send('PUT /v2/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n');
    assert.equal(await ended.promise, 'cut');
    assert.equal(await connection.waitForEnd(), true);
    assert.deepEqual(reasons(), []);
  });

  it('a gateway that throws ends the connection without an answer', async () => {
    handle = async () => {
      throw new Error('a bug');
    };
    const connection = await open();
    connection.send(GET);
    assert.equal(await connection.waitForEnd(), true);
    assert.equal(connection.received(), '');
  });
});
