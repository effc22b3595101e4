import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { startListener, type TestListener } from '../support/listener.ts';
import { until } from '../support/until.ts';

describe('a connection that Node hands over', () => {
  let listener: TestListener;

  before(async () => {
    listener = await startListener({ headerMsMax: 1000, idleMsMax: 60_000, headerBytesMax: 16_384 });
  });
  after(() => listener.drain());

  it('H-12: by CONNECT is refused, recorded and ended, also when the client leaves it open', async () => {
    const socket = connect({
      port: listener.port,
      host: '127.0.0.1',
      ca: listener.ca,
      servername: 'localhost',
    });
    // Without `end` from the client's side, as a client does that wants to hold the connection.
    socket.allowHalfOpen = true;
    await once(socket, 'secureConnect');
    socket.write('CONNECT internal:5432 HTTP/1.1\r\nHost: internal\r\n\r\n');
    const [answer] = await once(socket, 'data');
    assert.match(String(answer), /^HTTP\/1\.1 405 /);
    assert.deepEqual(
      listener.noted.map(({ reason, status }) => `${reason} ${status}`),
      ['method.connect 405'],
    );
    const count = promisify(listener.server.getConnections.bind(listener.server));
    await until(async () => (await count()) === 0, 'the connection ends');
    socket.destroy();
  });
});
