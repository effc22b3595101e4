import { chmodSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createConnection } from 'node:net';
import { StartError } from '../base/index.ts';

/**
 * Listens for the CLI on a Unix socket that only the server's own user may open (0600, in a 0700 directory): who can
 * open it owns the data anyway.
 *
 * @throws {StartError} the socket cannot be made.
 */
export async function listenAdmin(
  path: string,
  handler: RequestListener,
): Promise<{ close(): Promise<void> }> {
  // The one before is of a process that is gone: another live one holds the locks on the data, and we got them.
  rmSync(path, { force: true });
  const server = createServer(handler);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new StartError(`${path} cannot be listened on: ${error.message}`)),
    );
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return {
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Whether a server listens there: a socket that a crash left behind does not answer. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
