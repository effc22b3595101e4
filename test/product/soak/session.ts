import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { setTimeout as passing } from 'node:timers/promises';
import type { Dockgate } from '../../support/dockgate.ts';
import type { Ledger } from './ledger.ts';

/** A registry client gives up sooner or later, too. */
const TRIES_MAX = 30;

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface Ask {
  /** `Bearer …` or `Basic …`; absent: an anonymous request. */
  readonly authorization?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Sends the body with Transfer-Encoding: chunked, in pieces of so many bytes. */
  readonly chunkBytes?: number;
  /** Breaks the connection after so many bytes of the answer's body. */
  readonly cutAfterBytes?: number;
  /** Statuses that do not fail the session. */
  readonly expects: readonly number[];
}

/** The server ended a kept connection just when the next request was sent: Go's clients read again on another. */
class StaleConnection extends Error {}

/** One client on its own address: every answer it gets is in the ledger. */
export interface Session {
  readonly number: number;
  readonly user: string;
  readonly password: string;
  /** `Basic` with its password. */
  readonly basic: string;
  /**
   * A 429 that says Retry-After is waited for and asked again, as clients do.
   *
   * @throws {Error} any status that was not expected, and whatever breaks a connection.
   */
  ask(method: string, path: string, ask: Ask): Promise<Answered>;
  close(): void;
}

export interface SessionOptions {
  readonly server: Dockgate;
  readonly ledger: Ledger;
  readonly number: number;
  readonly user: string;
  readonly password: string;
  /** Absent: a new TLS connection for each request, as docker and podman make. */
  readonly keepsConnections?: boolean;
}

export function createSession(options: SessionOptions): Session {
  const { server, ledger, number, user, password } = options;
  const agent = options.keepsConnections ? new Agent({ keepAlive: true, maxSockets: 6 }) : undefined;
  const connection: RequestOptions = {
    host: '127.0.0.1',
    servername: 'localhost',
    // Two hundred machines: the log sums up what one address asks without a credential more than ten times a second.
    localAddress: `127.0.1.${number + 1}`,
    port: server.port,
    ca: server.ca,
    agent: agent ?? false,
  };
  const once = async (method: string, path: string, ask: Ask): Promise<Answered> => {
    ledger.sent += 1;
    try {
      return await exchange({ ...connection, method, path }, server.host, ask);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      ledger.unanswered += 1;
      return once(method, path, ask);
    }
  };
  return {
    ...{ number, user, password },
    basic: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
    async ask(method, path, ask) {
      for (let tries = 1; ; tries += 1) {
        const answer = await once(method, path, ask);
        ledger.add(answer, ask.authorization === undefined && !hasForm(ask));
        if (ask.expects.includes(answer.status)) return answer;
        const seconds = Number(answer.headers['retry-after']);
        if (answer.status !== 429 || !(seconds >= 0) || tries === TRIES_MAX) {
          throw new Error(`${method} ${path}: ${answer.status} ${answer.body.toString('utf8', 0, 300)}`);
        }
        ledger.waited += 1;
        await passing(seconds * 1000);
      }
    },
    close: () => agent?.destroy(),
  };
}

/** A token request by POST shows its credential in the body. */
function hasForm(ask: Ask): boolean {
  return ask.headers?.['content-type'] === 'application/x-www-form-urlencoded';
}

function exchange(options: RequestOptions, host: string, ask: Ask): Promise<Answered> {
  const { authorization, body, chunkBytes, cutAfterBytes } = ask;
  const headers: Record<string, string> = { ...ask.headers, host };
  if (authorization !== undefined) headers.authorization = authorization;
  if (chunkBytes === undefined && (body || options.method === 'POST' || options.method === 'PUT'))
    headers['content-length'] = String(body?.length ?? 0);
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ ...options, headers }, (response) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      const end = (): void =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(pieces),
        });
      response.on('data', (piece: Buffer) => {
        pieces.push(piece);
        bytes += piece.length;
        if (cutAfterBytes === undefined || bytes < cutAfterBytes) return;
        end();
        request.destroy();
      });
      response.once('error', reject);
      response.once('end', end);
    });
    request.once('error', (error: Error) => {
      const isRead = options.method === 'GET' || options.method === 'HEAD';
      if (isRead && request.reusedSocket) reject(new StaleConnection());
      else reject(new Error(`${options.method} ${options.path}: ${error.message}`, { cause: error }));
    });
    if (body && chunkBytes !== undefined) {
      for (let at = 0; at < body.length; at += chunkBytes) request.write(body.subarray(at, at + chunkBytes));
      request.end();
    } else request.end(body);
  });
}
