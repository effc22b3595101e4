import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import type { AuditEntry } from '../../src/audit/index.ts';
import { silentLogger, systemRandom } from '../../src/base/index.ts';
import { createListener, type Listener } from '../../src/gateway/index.ts';
import { createTestCertificate } from '../support/certificates.ts';
import { until } from '../support/until.ts';

describe('a connection that Node hands over', () => {
  const { certificate, key } = createTestCertificate();
  const noted: AuditEntry[] = [];
  let listener: Listener;
  let port: number;

  before(async () => {
    listener = createListener(
      { tls: { cert: certificate, key }, headerMsMax: 1000, idleMsMax: 60_000, headerBytesMax: 16_384 },
      {
        gateway: { handle: async () => assert.fail('nothing is handled') },
        others: () => assert.fail('nothing is handled'),
        audit: { note: (entry) => void noted.push(entry) },
        random: systemRandom,
        logger: silentLogger,
      },
    );
    listener.server.listen(0, '127.0.0.1');
    await once(listener.server, 'listening');
    const address = listener.server.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });
  after(() => listener.drain());

  it('H-12: by CONNECT is refused, recorded and ended, also when the client leaves it open', async () => {
    const socket = connect({ port, host: '127.0.0.1', ca: certificate, servername: 'localhost' });
    // Without `end` from the client's side, as a client does that wants to hold the connection.
    socket.allowHalfOpen = true;
    await once(socket, 'secureConnect');
    socket.write('CONNECT internal:5432 HTTP/1.1\r\nHost: internal\r\n\r\n');
    const [answer] = await once(socket, 'data');
    assert.match(String(answer), /^HTTP\/1\.1 405 /);
    assert.deepEqual(
      noted.map(({ reason, status }) => `${reason} ${status}`),
      ['method.connect 405'],
    );
    const count = promisify(listener.server.getConnections.bind(listener.server));
    await until(async () => (await count()) === 0, 'the connection ends');
    socket.destroy();
  });
});
