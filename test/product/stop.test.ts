import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { promisify } from 'node:util';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { until } from '../support/until.ts';

/** Sends a signal to every process of a server, as a terminal and systemd do, to the primary twice, as npm does. */
async function signalAll(server: Dockgate, signal: NodeJS.Signals): Promise<void> {
  const { stdout } = await promisify(execFile)('pgrep', ['-P', String(server.pid)]);
  const children = stdout.trim().split('\n').map(Number);
  for (const pid of [...children, server.pid, server.pid]) process.kill(pid, signal);
}

async function beginUpload(server: Dockgate): Promise<ClientRequest> {
  const basic = `admin:${server.adminPassword}`;
  const begun = await server.request('/v2/team/app/blobs/uploads/', { method: 'POST', basic });
  const location = String(begun.headers.location);
  const { pathname, search } = new URL(location, server.url);
  return httpsRequest({
    ...{ host: 'localhost', port: server.port, ca: server.ca, path: `${pathname}${search}`, agent: false },
    ...{ method: 'PATCH', auth: basic, headers: { 'content-length': '6' } },
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // No such process.
    return false;
  }
}

describe('a server that is told to stop', function () {
  this.timeout(120_000);
  let server: Dockgate;
  beforeEach(async () => {
    server = await startDockgate();
  });
  afterEach(() => server.remove());

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`by ${signal} to all its processes at once lets a transfer end, then ends itself, and starts nothing again`, async () => {
      const upload = await beginUpload(server);
      const answered = once(upload, 'response');
      upload.write('abc');
      await signalAll(server, signal);
      await until(() => /stopping/.test(server.output()), 'it says that it stops');
      upload.end('def');
      const [response]: IncomingMessage[] = await answered;
      assert.equal(response?.statusCode, 202);
      response?.resume();
      await until(() => !isAlive(server.pid), 'it ends by itself');
      assert.doesNotMatch(server.output(), /started again/);
    });
  }
});
