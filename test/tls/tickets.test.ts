import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type SecureVersion } from 'node:tls';
import { createManualClock, HOUR_MS, silentLogger, systemRandom } from '../../src/base/index.ts';
import { createTickets, openTls, type Tls } from '../../src/tls/index.ts';

const SECRET = Buffer.alloc(32, 1);
/** Midnight, when a key begins. */
const START_MS = Date.UTC(2026, 10, 24);

describe('sessions of TLS', () => {
  const clock = createManualClock(START_MS);
  let directory: string;
  let tls: Tls;
  const servers: Server[] = [];
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dockgate-tls-'));
    // Certificates are of today, tickets of the clock above.
    const issuing = { clock: createManualClock(Date.now()), random: systemRandom, logger: silentLogger };
    tls = await openTls({ directory, names: ['localhost'], mayIssue: true }, issuing);
  });
  beforeEach(() => clock.set(START_MS + 2 * HOUR_MS));
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  after(async () => {
    tls.close();
    await rm(directory, { recursive: true });
  });

  /** What one worker listens with. */
  const open = async (secret = SECRET, bound = '') => {
    const server = createServer(tls.context(), (_request, response) => response.end('here'));
    const tickets = createTickets({ secret }, { clock, random: systemRandom });
    tickets.serve(server, bound);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    return { server, tickets };
  };
  type Worker = Awaited<ReturnType<typeof open>>;

  /** Asks once; the session that the server gave for the next time, and whether it took up this one. */
  const visit = async ({ server }: Worker, version: SecureVersion, session?: Buffer) => {
    const { port } = server.address() as AddressInfo;
    const socket = connect({
      ...{ host: '127.0.0.1', port, servername: 'localhost', ca: readFileSync(tls.caPath) },
      ...{ minVersion: version, maxVersion: version, ...(session ? { session } : {}) },
    });
    const sessions: Buffer[] = [];
    socket.on('session', (given) => void sessions.push(given));
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    socket.resume();
    await once(socket, 'secureConnect');
    const isTakenUp = socket.isSessionReused();
    await once(socket, 'close');
    return { session: sessions.at(-1), isTakenUp };
  };

  for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
    describe(`in ${version}`, () => {
      it('are taken up by every worker that has the same secret, and by no other', async () => {
        const [first, second, stranger] = [await open(), await open(), await open(Buffer.alloc(32, 2))];
        const { session, isTakenUp } = await visit(first, version);
        assert.ok(session);
        assert.equal(isTakenUp, false);
        assert.equal((await visit(second, version, session)).isTakenUp, true);
        assert.equal((await visit(first, version, session)).isTakenUp, true);
        assert.equal((await visit(stranger, version, session)).isTakenUp, false);
      });

      it('outlive the key that sealed them for their time, and no longer', async () => {
        const [first, second] = [await open(), await open()];
        clock.set(START_MS + 12 * HOUR_MS - 1);
        const { session } = await visit(first, version);
        clock.set(START_MS + 13 * HOUR_MS - 1);
        assert.equal((await visit(second, version, session)).isTakenUp, true);
        const { session: newer } = await visit(first, version);
        clock.advance(1);
        assert.equal((await visit(second, version, session)).isTakenUp, false);
        assert.equal((await visit(second, version, newer)).isTakenUp, true);
      });

      it('outlive a renewed certificate', async () => {
        const worker = await open();
        const { session } = await visit(worker, version);
        worker.server.setSecureContext(tls.context());
        worker.tickets.serve(worker.server, '');
        assert.equal((await visit(worker, version, session)).isTakenUp, true);
      });

      it('end with the list of revoked certificates that they were judged by', async () => {
        const worker = await open(SECRET, 'list 1');
        const { session } = await visit(worker, version);
        worker.server.setSecureContext(tls.context());
        worker.tickets.serve(worker.server, 'list 2');
        assert.equal((await visit(worker, version, session)).isTakenUp, false);
      });
    });
  }
});
