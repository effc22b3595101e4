import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { UploadBody } from '../../src/content/index.ts';

/**
 * A real incoming request, as the gateway hands it to a source, with the socket of the client that sent it.
 */
export interface ReceivedUpload {
  readonly body: UploadBody;
  readonly request: IncomingMessage;
  /** Ends both sides. */
  close(): void;
}

export interface UploadShape {
  /** Sent in these pieces; the last one ends the body unless `isOpen`. */
  readonly chunks?: readonly (string | Uint8Array)[];
  /** Absent: chunked. */
  readonly contentLength?: number;
  readonly range?: { readonly first: number; readonly last: number };
  /** Header lines beside the framing, such as `Authorization: Bearer x`. */
  readonly headers?: readonly string[];
  readonly method?: string;
  readonly path?: string;
  /** The client goes on holding the connection without ending the body; `cut`: it resets in mid-body. */
  readonly ending?: 'whole' | 'open' | 'cut';
}

/** Sends an upload over a raw socket to a server of Node's and gives what the server received. */
export async function receiveUpload(shape: UploadShape = {}): Promise<ReceivedUpload> {
  const server = createServer();
  server.on('clientError', (_error, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const socket = connect(address.port, '127.0.0.1');
  socket.on('error', () => undefined);
  const framing =
    shape.contentLength === undefined
      ? 'Transfer-Encoding: chunked'
      : `Content-Length: ${shape.contentLength}`;
  const head = [
    `${shape.method ?? 'PATCH'} ${shape.path ?? '/v2/team/app/blobs/uploads/1'} HTTP/1.1`,
    'Host: gateway',
    framing,
    ...(shape.headers ?? []),
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  for (const chunk of shape.chunks ?? []) {
    const bytes = Buffer.from(chunk);
    if (shape.contentLength === undefined) socket.write(`${bytes.length.toString(16)}\r\n`);
    socket.write(bytes);
    if (shape.contentLength === undefined) socket.write('\r\n');
  }
  const ending = shape.ending ?? 'whole';
  if (ending === 'whole' && shape.contentLength === undefined) socket.write('0\r\n\r\n');
  const [request]: IncomingMessage[] = await once(server, 'request');
  if (request === undefined) throw new Error('no request');
  request.on('error', () => undefined);
  if (ending === 'cut') socket.destroy();
  return {
    request,
    body: {
      request,
      ...(shape.contentLength === undefined ? {} : { contentLength: shape.contentLength }),
      ...(shape.range === undefined ? {} : { range: shape.range }),
    },
    close() {
      socket.destroy();
      server.close();
      server.closeAllConnections();
    },
  };
}
