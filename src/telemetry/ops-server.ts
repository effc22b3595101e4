import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isErrorWithCode, type Logger, SECOND_MS, StartError } from '../base/index.ts';

export interface OpsOptions {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
}

export interface OpsParts {
  /** The page of metrics, as text. */
  readonly metrics: () => Promise<string>;
  /** Whether the process works at all. */
  readonly isHealthy: () => boolean | Promise<boolean>;
  /** Whether requests should be sent here now. */
  readonly isReady: () => boolean | Promise<boolean>;
  readonly logger: Logger;
}

export interface OpsServer {
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves /metrics, /healthz and /readyz in plain HTTP, beside the public port. The last two say yes or no and nothing
 * else: versions, addresses and errors are for the log (W-15, W-16).
 *
 * @throws {StartError} the address or port cannot be used.
 */
export async function serveOps(options: OpsOptions, parts: OpsParts): Promise<OpsServer> {
  const server = createServer(
    { headersTimeout: 5 * SECOND_MS, requestTimeout: 5 * SECOND_MS, maxHeaderSize: 8192 },
    (request, response) => void answer(request, response, parts),
  );
  server.maxConnections = 100;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new StartError(
          `${options.address}:${options.port} (metrics, health) cannot be listened on: ` +
            `${isErrorWithCode(error, 'EADDRINUSE') ? 'another process listens there; stop it' : error.message}, ` +
            'or choose another with --ops-port',
        ),
      ),
    );
    server.listen(options.port, options.address, resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    address,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, parts: OpsParts): Promise<void> {
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'GET only\n');
  const path = request.url?.split('?', 1)[0];
  try {
    if (path === '/metrics') {
      response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
      return send(response, 200, await parts.metrics());
    }
    if (path === '/healthz') return say(response, await parts.isHealthy());
    if (path === '/readyz') return say(response, await parts.isReady());
    send(response, 404, 'not found\n');
  } catch (error) {
    parts.logger.error('ops request failed', { path: path ?? '' }, error);
    send(response, 503, 'no\n');
  }
}

function say(response: ServerResponse, isGood: boolean): void {
  send(response, isGood ? 200 : 503, isGood ? 'ok\n' : 'no\n');
}

function send(response: ServerResponse, status: number, body: string): void {
  if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.statusCode = status;
  response.end(body);
}
