import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { clientAddress } from '../../src/traffic/index.ts';
import { startListener, type TestListener } from '../support/listener.ts';
import { until } from '../support/until.ts';
import { proxyV1, proxyV2 } from '../traffic/proxy-headers.ts';

const PROXY = '127.0.0.9';
const STRANGER = '127.0.0.8';
const CLIENT = '192.0.2.7';

describe('a connection through a proxy', () => {
  const sockets: Socket[] = [];
  let listener: TestListener;

  const listen = async (proxyProtocol: boolean) => {
    listener = await startListener(
      {
        ...{ headerMsMax: 4000, idleMsMax: 60_000, headerBytesMax: 16_384 },
        connectionsPerAddressMax: 2,
        proxies: { trusted: [{ address: PROXY, bits: 32, family: 'ipv4' }], proxyProtocol },
      },
      { others: (request, response) => void response.end(`<${clientAddress(request)}>`) },
    );
  };
  const end = async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await listener.drain();
  };
  const line = (from: string) => {
    const socket = connectTcp({ port: listener.port, host: '127.0.0.1', localAddress: from });
    socket.on('error', () => {});
    sockets.push(socket);
    return socket;
  };
  /** @returns who the server takes for the client, or `closed`. */
  const ask = async (from: string, first: readonly Uint8Array[], headers = ''): Promise<string> => {
    const tcp = line(from);
    await once(tcp, 'connect');
    tcp.setNoDelay(true);
    for (const piece of first) await new Promise((resolve) => tcp.write(piece, resolve));
    const socket = connect({ socket: tcp, ca: listener.ca, servername: 'localhost' });
    sockets.push(socket);
    return new Promise((resolve) => {
      socket.once('secureConnect', () => socket.write(`GET /x HTTP/1.1\r\nHost: x\r\n${headers}\r\n`));
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
        const found = /<(.*)>/.exec(text)?.[1];
        if (found !== undefined) resolve(found);
      });
      socket.once('error', () => resolve('closed')).once('close', () => resolve('closed'));
    });
  };
  const reasons = () => listener.noted.map(({ reason, client }) => `${reason} ${client?.address}`);

  describe('that writes X-Forwarded-For', () => {
    before(() => listen(false));
    after(end);

    it('H-26: is the client that the proxy names; from anybody else the header means nothing', async () => {
      const header = `X-Forwarded-For: 203.0.113.1, ${CLIENT}\r\n`;
      assert.equal(await ask(PROXY, [], header), CLIENT);
      assert.equal(
        await ask(PROXY, [], `X-Forwarded-For: 203.0.113.1\r\nX-Forwarded-For: ${CLIENT}\r\n`),
        CLIENT,
      );
      assert.equal(await ask(PROXY, []), PROXY);
      assert.equal(await ask(STRANGER, [], header), STRANGER);
      const others = `Forwarded: for=${CLIENT}\r\nX-Real-IP: ${CLIENT}\r\nX-Client-IP: ${CLIENT}\r\n`;
      assert.equal(await ask(PROXY, [], others), PROXY);
    });

    it('H-26: that brings a PROXY header is closed: nobody said that it would', async () => {
      assert.equal(await ask(PROXY, [proxyV1(CLIENT, 1)]), 'closed');
    });

    it('F-30: is not counted for the proxy, which has many clients', async () => {
      const all = await Promise.all(Array.from({ length: 5 }, () => ask(PROXY, [])));
      assert.deepEqual(
        all,
        Array.from({ length: 5 }, () => PROXY),
      );
    });
  });

  describe('that speaks the PROXY protocol', () => {
    before(() => listen(true));
    after(end);

    it('H-26: is the client of its header, version 1 and 2, in one piece or byte by byte', async () => {
      assert.equal(await ask(PROXY, [proxyV1(CLIENT, 1)]), CLIENT);
      assert.equal(await ask(PROXY, [proxyV2('2001:db8::7', 1)]), '2001:db8::7');
      const bytes = [...proxyV2('192.0.2.8', 1)].map((byte) => Uint8Array.of(byte));
      assert.equal(await ask(PROXY, bytes), '192.0.2.8');
      assert.equal(await ask(PROXY, [Buffer.from('PROXY UNKNOWN\r\n')]), PROXY);
    });

    it('H-26: may name a further proxy, whose header then counts', async () => {
      const header = `X-Forwarded-For: 192.0.2.9\r\n`;
      assert.equal(await ask(PROXY, [proxyV1(PROXY, 1)], header), '192.0.2.9');
      assert.equal(await ask(PROXY, [proxyV1('192.0.2.10', 1)], header), '192.0.2.10');
    });

    it('H-26: without header, with garbage, or too slow with it is closed and recorded', async () => {
      listener.noted.length = 0;
      assert.equal(await ask(PROXY, []), 'closed');
      assert.equal(await ask(PROXY, [Buffer.from('PROXY TCP4 x y 1 2\r\n')]), 'closed');
      const slow = line(PROXY);
      slow.resume().write('PROXY TCP4 192.0.2.7 ');
      await until(() => slow.closed, 'the slow one is cut');
      assert.deepEqual(
        reasons(),
        Array.from({ length: 3 }, () => `proxy.header ${PROXY}`),
      );
    });

    it('H-26: from anybody else the header is no TLS; without one they are served as themselves', async () => {
      listener.noted.length = 0;
      assert.equal(await ask(STRANGER, [proxyV1(CLIENT, 1)]), 'closed');
      assert.deepEqual(
        listener.noted.map(({ reason, client }) => [reason?.startsWith('tls.'), client?.address]),
        [[true, STRANGER]],
      );
      assert.equal(await ask(STRANGER, []), STRANGER);
    });

    it('that says nothing and goes (a health check) leaves no record', async () => {
      listener.noted.length = 0;
      const probe = line(PROXY);
      await once(probe, 'connect');
      probe.end();
      await once(probe.resume(), 'close');
      assert.deepEqual(reasons(), []);
    });

    it('F-30: counts for its client, whose failures bear its address', async () => {
      listener.noted.length = 0;
      const announced = async () => {
        const tcp = line(PROXY);
        tcp.write(proxyV1('192.0.2.20', 1));
        const socket = connect({ socket: tcp, ca: listener.ca, servername: 'localhost' });
        sockets.push(socket);
        await once(socket, 'secureConnect');
        return socket;
      };
      await announced();
      const second = await announced();
      assert.equal(await ask(PROXY, [proxyV1('192.0.2.20', 1)]), 'closed');
      assert.equal(await ask(PROXY, [proxyV1('192.0.2.21', 1)]), '192.0.2.21');
      second.write('garbage\r\n\r\n');
      await once(second.resume(), 'close');
      assert.equal(await ask(PROXY, [proxyV1('192.0.2.22', 1), Buffer.from('no TLS at all')]), 'closed');
      await until(() => listener.noted.length >= 3, 'all is recorded');
      assert.deepEqual(
        reasons().map((reason) => reason.replace(/tls\.\S+/, 'tls')),
        ['connections.address 192.0.2.20', 'http.HPE_INVALID_METHOD 192.0.2.20', 'tls 192.0.2.22'],
      );
    });
  });
});
