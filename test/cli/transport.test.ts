import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { send } from '../../src/cli/transport.ts';

describe('what the CLI sends', () => {
  let folder: string;
  let server: Server;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dockgate-transport-'));
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is given up after the silence that its command allows', async () => {
    const path = join(folder, 'api.sock');
    server = createServer(() => {
      // It says nothing, ever.
    }).listen(path);
    await once(server, 'listening');
    await assert.rejects(
      send({ kind: 'socket', path }, 'POST', '/registry/verify', { body: {}, silenceMs: 50 }),
      /no answer within 0\.05 s/,
    );
  });
});
