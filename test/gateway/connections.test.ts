import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type LoggedRecord, waitForLog } from '../support/access-log.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltBlob, type BuiltImage, buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';
import { connectRaw, summaryOf } from '../support/raw-client.ts';

const PASSWORD = 'correct-horse-battery-9';
const MiB = 1024 * 1024;
const BASIC = `Authorization: Basic ${Buffer.from(`alice:${PASSWORD}`).toString('base64')}`;

/** Each connection of a test has an address of its own, by which its records are found. */
let addresses = 0;
const nextAddress = (): string => `127.9.0.${++addresses}`;

describe('connections', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let image: BuiltImage;
  let blobPath: string;
  let blob: Uint8Array;
  let small: BuiltBlob;

  before(async () => {
    server = await startDockgate({ config: 'limits: { header: 1s, idle: 2s }\n' });
    await server.addUser('alice', PASSWORD, ['maintainer', 'pub/**']);
    blob = randomBytes(24 * MiB);
    image = await buildImage({
      config: { user: 'app' },
      layers: [[{ path: 'noise', data: blob }], [{ path: 'little', data: randomBytes(5000) }]],
      compression: 'none',
    });
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    await pusher.push('pub/app', image, '1');
    blob = image.layers[0]?.bytes ?? assert.fail('no layer');
    small = image.layers[1] ?? assert.fail('no second layer');
    blobPath = `/v2/pub/app/blobs/${image.layers[0]?.digest}`;
    assert.equal((await get('/v2/pub/app/manifests/1')).status, 200);
  });
  after(() => server.remove());

  const get = (path: string, headers: Record<string, string> = {}) =>
    server.request(path, { basic: `alice:${PASSWORD}`, headers });
  const recordsFrom = (address: string, count: number): Promise<readonly LoggedRecord[]> =>
    waitForLog(server, (log) => log.filter((each) => each.address === address).length >= count).then((log) =>
      log.filter((each) => each.address === address),
    );
  const assertServing = async () => assert.equal((await get('/v2/pub/app/manifests/1')).status, 200);

  it('H-29: one that sends its headers a byte at a time is cut at the header time, and recorded; others are served', async () => {
    const from = nextAddress();
    const slow = await Promise.all(Array.from({ length: 20 }, () => connectRaw(server, { from })));
    for (const one of slow) one.send('GET /v2/');
    const timer = setInterval(() => {
      for (const one of slow) one.send('a');
    }, 400);
    try {
      await assertServing();
      for (const one of slow) assert.equal(await one.waitForEnd(), true);
    } finally {
      clearInterval(timer);
    }
    const records = await recordsFrom(from, 1);
    assert.deepEqual(
      new Set(records.map(({ reason, status }) => `${status} ${reason}`)),
      new Set(['408 http.ERR_HTTP_REQUEST_TIMEOUT']),
    );
  });

  it('H-29: a body that trickles is cut, and the upload goes on where it stood', async () => {
    const begun = await server.request('/v2/pub/app/blobs/uploads/', {
      method: 'POST',
      basic: `alice:${PASSWORD}`,
    });
    const location = new URL(String(begun.headers.location)).pathname;
    const connection = await connectRaw(server);
    connection.send(
      `PATCH ${location} HTTP/1.1\r\nHost: localhost\r\n${BASIC}\r\nContent-Length: 1000000\r\n\r\n`,
    );
    const timer = setInterval(() => connection.send('x'), 50);
    try {
      assert.equal(await connection.waitForEnd(), true);
    } finally {
      clearInterval(timer);
    }
    const status = await server.request(location, { basic: `alice:${PASSWORD}` });
    assert.equal(status.status, 204);
    assert.match(String(status.headers.range), /^0-[1-9]\d*$/);
  });

  it('H-29: a reader that stands still is cut, and the log says how far it came', async () => {
    const from = nextAddress();
    const connection = await connectRaw(server, { from });
    connection.socket.pause();
    connection.send(`GET ${blobPath} HTTP/1.1\r\nHost: localhost\r\n${BASIC}\r\n\r\n`);
    const records = await recordsFrom(from, 2);
    connection.destroy();
    const completion = records.find(({ kind }) => kind === 'completion');
    assert.equal(completion?.isAborted, true);
    assert.ok((completion?.bytes ?? 0) < blob.length);
    assert.equal(records.filter(({ kind }) => kind === 'decision').length, 1);
  });

  it('H-30: one that never finishes its TLS handshake is cut', async () => {
    const from = nextAddress();
    const socket = connectTcp({ host: '127.0.0.1', port: server.port, localAddress: from });
    await once(socket.resume(), 'connect');
    socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]));
    await once(socket, 'close');
    const records = await recordsFrom(from, 1);
    assert.deepEqual(
      records.map(({ reason }) => reason),
      ['tls.ERR_TLS_HANDSHAKE_TIMEOUT'],
    );
  });

  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    it(`H-30: ${version} is refused, and recorded`, async () => {
      const from = nextAddress();
      const tcp = connectTcp({ host: '127.0.0.1', port: server.port, localAddress: from });
      const socket = connectTls({
        socket: tcp,
        servername: 'localhost',
        ca: server.ca,
        minVersion: version,
        maxVersion: version,
        ciphers: 'DEFAULT@SECLEVEL=0',
      });
      await assert.rejects(once(socket, 'secureConnect'));
      const [record] = await recordsFrom(from, 1);
      assert.match(record?.reason ?? '', /^tls\./);
    });
  }

  for (const servername of ['', 'unknown.example', '..', 'a'.repeat(300), '-', '*', 'xn--']) {
    it(`H-31: the server name ${JSON.stringify(servername.slice(0, 20))} gets the certificate or an alert`, async () => {
      const socket = connectTls({
        host: '127.0.0.1',
        port: server.port,
        servername,
        ca: server.ca,
        checkServerIdentity: () => undefined,
      });
      await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')]).catch(() => {
        // An alert is an answer, too.
      });
      socket.destroy();
      await assertServing();
    });
  }

  it('H-24: h2 is not negotiated', async () => {
    const options = { host: '127.0.0.1', port: server.port, servername: 'localhost', ca: server.ca };
    const socket = connectTls({ ...options, ALPNProtocols: ['h2', 'http/1.1'] });
    await once(socket, 'secureConnect');
    assert.equal(socket.alpnProtocol, 'http/1.1');
    socket.destroy();
  });

  it('H-32: plain HTTP gets nothing, and its credential is not looked at', async () => {
    const from = nextAddress();
    const socket = connectTcp({ host: '127.0.0.1', port: server.port, localAddress: from });
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', () => {
      // A reset is an end, too.
    });
    socket.write(`GET /v2/pub/app/manifests/1 HTTP/1.1\r\nHost: localhost\r\n${BASIC}\r\n\r\n`);
    await once(socket, 'close');
    assert.doesNotMatch(received, /HTTP\/1\.1 2|manifest/);
    const records = await recordsFrom(from, 1);
    assert.deepEqual(
      records.map(({ action, outcome, principal }) => [action, outcome, principal]),
      [['connection', 'refused', undefined]],
    );
  });

  const size = () => small.bytes.length;
  const ranges: readonly (readonly [
    range: string,
    status: number,
    expected: () => readonly [number, number],
  ])[] = [
    ['bytes=0-0', 206, () => [0, 1]],
    ['bytes=5-9', 206, () => [5, 10]],
    ['bytes=-3', 206, () => [size() - 3, size()]],
    ['bytes=10-', 206, () => [10, size()]],
    ['bytes=0-99999999999', 206, () => [0, size()]],
    ['bytes=5-2', 416, () => [0, 0]],
    ['bytes=a-b', 200, () => [0, size()]],
    ['items=0-1', 200, () => [0, size()]],
    ['bytes=0-0,2-2', 200, () => [0, size()]],
    [`bytes=${'0-0,'.repeat(2000)}1-1`, 200, () => [0, size()]],
    ['bytes=99999999999999999999-', 200, () => [0, size()]],
    ['bytes=-0', 416, () => [0, 0]],
    ['bytes=99999999999-', 416, () => [0, 0]],
  ];
  for (const [range, status, expected] of ranges) {
    it(`H-35: Range: ${range.slice(0, 40)} on a blob is ${status}`, async () => {
      const answer = await get(`/v2/pub/app/blobs/${small.digest}`, { range });
      assert.equal(answer.status, status);
      if (status === 416) {
        assert.equal(answer.headers['content-range'], `bytes */${size()}`);
        return;
      }
      const [first, end] = expected();
      assert.ok(answer.body.equals(small.bytes.subarray(first, end)));
      if (status === 206)
        assert.equal(answer.headers['content-range'], `bytes ${first}-${end - 1}/${size()}`);
    });
  }

  it('H-37: Accept-Encoding changes neither bytes nor headers', async () => {
    for (const path of [blobPath, '/v2/pub/app/manifests/1']) {
      const answer = await get(path, { 'accept-encoding': 'gzip, br, zstd' });
      assert.equal(answer.headers['content-encoding'], undefined);
      const expected = path === blobPath ? blob : image.manifest;
      assert.ok(answer.body.equals(expected));
    }
  });

  it('H-36: fifty clients that reset in mid-download leave a completion each, and the server as it was', async () => {
    const from = nextAddress();
    for (let round = 0; round < 50; round++) {
      const connection = await connectRaw(server, { from });
      connection.send(`GET ${blobPath} HTTP/1.1\r\nHost: localhost\r\n${BASIC}\r\n\r\n`);
      await once(connection.socket, 'data');
      connection.reset();
    }
    const records = await recordsFrom(from, 100);
    const completions = records.filter(({ kind }) => kind === 'completion');
    assert.equal(completions.length, 50);
    assert.ok(completions.every(({ isAborted }) => isAborted));
    assert.equal(records.filter(({ kind }) => kind === 'decision').length, 50);
    await assertServing();
  });

  it('what is no request after a blob that is on its way is not mixed into its bytes', async () => {
    const connection = await connectRaw(server);
    connection.send(`GET ${blobPath} HTTP/1.1\r\nHost: localhost\r\n${BASIC}\r\n\r\n`);
    await once(connection.socket, 'data');
    connection.send('\0\0 this is no request\r\n\r\n');
    assert.equal(await connection.waitForEnd(), true);
    const received = connection.received();
    const content = Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1');
    assert.ok(content.equals(blob.subarray(0, content.length)), 'only bytes of the blob');
  });

  it('V-14: a manifest of 100 MiB is answered 413 while it is still being sent, and the connection ends', async () => {
    const connection = await connectRaw(server);
    connection.send(
      `PUT /v2/pub/app/manifests/2 HTTP/1.1\r\nHost: localhost\r\n${BASIC}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const chunk = `100000\r\n${' '.repeat(MiB)}\r\n`;
    for (let sent = 0; sent < 100 && !connection.socket.destroyed; sent++) {
      if (connection.answers().length > 0) break;
      connection.socket.write(chunk);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const answers = await connection.waitForAnswers(1);
    assert.deepEqual(answers.map(summaryOf), ['413 SIZE_INVALID']);
    assert.equal(answers[0]?.headers.get('connection'), 'close');
    assert.equal(await connection.waitForEnd(), true);
  });

  it('a client that hangs up in the middle of a manifest is recorded', async () => {
    const from = nextAddress();
    const connection = await connectRaw(server, { from });
    connection.send(
      `PUT /v2/pub/app/manifests/2 HTTP/1.1\r\nHost: localhost\r\n${BASIC}\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n`,
    );
    // Then it is decided that the body may come.
    await connection.waitForAnswers(1);
    connection.send('{');
    connection.reset();
    const [record] = await recordsFrom(from, 1);
    assert.deepEqual(
      [record?.kind, record?.outcome, record?.reason, record?.repository, record?.principal],
      ['decision', 'refused', 'fault.DG_CLIENT_GONE', 'pub/app', 'alice'],
    );
  });
});
