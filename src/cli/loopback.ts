import { once } from 'node:events';
import { createServer } from 'node:http';
import { CommandFailed } from './client.ts';

/** Where the browser brings its answer: this computer alone, on a free port. */
export interface Loopback {
  readonly redirectUri: string;
  /** @throws {CommandFailed} nobody came in time. */
  readonly code: Promise<string>;
  close(): void;
}

const PATH = '/signed-in';
const PAGE = '<!doctype html><title>dockgate</title><p>Go back to the command; you may close this page.</p>';

/**
 * Waits for one answer with the state of this sign-in; whatever else comes is answered 404 and changes nothing.
 *
 * @see RFC 8252 chapter 7.3
 */
export async function openLoopback(state: string, lifeMs: number): Promise<Loopback> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const code = url.searchParams.get('code');
    const isOurs =
      request.method === 'GET' && url.pathname === PATH && url.searchParams.get('state') === state;
    if (!isOurs || code === null) {
      response.writeHead(404, { connection: 'close' }).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', connection: 'close' }).end(PAGE);
    resolve(code);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const timer = setTimeout(
    () => reject(new CommandFailed('nobody signed in with the browser in time')),
    lifeMs,
  );
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new CommandFailed('no free port on 127.0.0.1');
  // Until it is waited for, its failure is nobody's.
  promise.catch(() => {});
  return {
    redirectUri: `http://127.0.0.1:${address.port}${PATH}`,
    code: promise,
    close() {
      clearTimeout(timer);
      server.close();
    },
  };
}
