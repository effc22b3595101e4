import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { startListener, type TestListener } from '../support/listener.ts';
import { until } from '../support/until.ts';

describe('connections of one address', () => {
  const sockets: Socket[] = [];
  let listener: TestListener;

  before(async () => {
    listener = await startListener(
      { headerMsMax: 60_000, idleMsMax: 60_000, headerBytesMax: 16_384, connectionsPerAddressMax: 2 },
      { others: (_request, response) => void response.end('here') },
    );
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await listener.drain();
  });

  const open = (localAddress: string) => {
    const line = connectTcp({ port: listener.port, host: '127.0.0.1', localAddress });
    line.on('error', () => {});
    const socket = connect({ socket: line, ca: listener.ca, servername: 'localhost' });
    sockets.push(socket);
    return socket;
  };
  const opened = async (localAddress: string) => {
    const socket = open(localAddress);
    await once(socket, 'secureConnect');
    return socket;
  };
  const isRefused = (localAddress: string) =>
    new Promise<boolean>((resolve) => {
      const socket = open(localAddress);
      socket.once('secureConnect', () => resolve(false));
      socket.once('error', () => resolve(true));
    });

  it('F-30: are closed above the limit, with a record, and no other address feels it; one that ends makes room', async () => {
    const first = await opened('127.0.0.1');
    // One that never shakes hands counts as well.
    const idle = connectTcp({ port: listener.port, host: '127.0.0.1' });
    sockets.push(idle);
    await once(idle, 'connect');
    assert.equal(await isRefused('127.0.0.1'), true);
    assert.deepEqual(
      listener.noted.map(({ reason, outcome, client }) => [reason, outcome, client?.address]),
      [['connections.address', 'refused', '127.0.0.1']],
    );
    const other = await opened('127.0.0.2');
    other.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.match(String((await once(other, 'data'))[0]), /^HTTP\/1\.1 200 /);
    first.destroy();
    await until(async () => !(await isRefused('127.0.0.1')), 'there is room again');
  });
});
