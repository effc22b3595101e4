import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** A request as it came over the wire. */
export interface RawRequest {
  /** `PATCH /v2/… HTTP/1.1` */
  readonly line: string;
  /** Header lines as sent. */
  readonly headers: readonly string[];
  /** Which connection it came on, counted from 0. */
  readonly connection: number;
  /** Which request it is, counted from 0 over all connections. */
  readonly index: number;
}

export interface RawUpstream {
  readonly url: string;
  readonly host: string;
  /** All heads seen so far. */
  readonly requests: readonly RawRequest[];
  /** Everything received, byte for byte, one text (latin1) a connection. */
  received(connection?: number): string;
  close(): Promise<void>;
}

/**
 * A stub upstream on a raw socket: it can answer what no HTTP library would, and its log of bytes is the
 * witness of what was really sent. `answer` is called for each head; a head inside a body counts only when
 * the framing makes it one, as it would at a registry.
 */
export async function startRawUpstream(
  answer: (request: RawRequest, socket: Socket, body: Promise<string>) => void | Promise<void>,
): Promise<RawUpstream> {
  const logs: string[] = [];
  const requests: RawRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const connection = logs.push('') - 1;
    const reader = new RequestReader();
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      logs[connection] += chunk.toString('latin1');
      for (const { line, headers, body } of reader.push(chunk.toString('latin1'))) {
        const request = { line, headers, connection, index: requests.length };
        requests.push(request);
        void answer(request, socket, body);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const host = `127.0.0.1:${address.port}`;
  return {
    url: `http://${host}`,
    host,
    requests,
    received: (connection) => (connection === undefined ? logs.join('') : (logs[connection] ?? '')),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * Splits a byte stream into requests by Content-Length and chunked framing, as strictly as a registry would.
 */
class RequestReader {
  #rest = '';
  #finishBody: ((body: string) => void) | undefined;
  #headers: readonly string[] = [];

  *push(text: string) {
    this.#rest += text;
    for (;;) {
      if (this.#finishBody) {
        const body = this.#takeBody();
        if (body === undefined) return;
        this.#finishBody(body);
        this.#finishBody = undefined;
      }
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [line = '', ...headers] = this.#rest.slice(0, end).split('\r\n');
      this.#rest = this.#rest.slice(end + 4);
      this.#headers = headers;
      const { promise, resolve } = Promise.withResolvers<string>();
      this.#finishBody = resolve;
      yield { line, headers, body: promise };
    }
  }

  #takeBody(): string | undefined {
    const value = (name: string) =>
      this.#headers
        .find((header) => header.toLowerCase().startsWith(`${name}:`))
        ?.slice(name.length + 1)
        .trim();
    if (value('transfer-encoding') === 'chunked') {
      const whole = /^(?:[0-9a-f]+\r\n[\s\S]*?\r\n)*?0\r\n\r\n/i.exec(this.#rest)?.[0];
      if (whole === undefined) return undefined;
      this.#rest = this.#rest.slice(whole.length);
      return whole.replace(/[0-9a-f]+\r\n([\s\S]*?)\r\n/gi, '$1');
    }
    const length = Number(value('content-length') ?? 0);
    if (this.#rest.length < length) return undefined;
    const body = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
    return body;
  }
}
