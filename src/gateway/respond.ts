import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Answer } from './answer.ts';

export interface Sent {
  /** Whether content was streamed, so that a completion is worth recording. */
  readonly isTransfer: boolean;
  readonly bytes: number;
  readonly isAborted: boolean;
}

const STANDING_HEADERS = {
  'docker-distribution-api-version': 'registry/2.0',
  'x-content-type-options': 'nosniff',
  // Pushed content is served from the address of the console: nothing of it may ever run there.
  'content-security-policy': "default-src 'none'; sandbox",
} as const;

/** How much of a refused body is read, so that the client sees the answer and not a reset. */
const DRAIN_BYTES_MAX = 8 * 1024 * 1024;
const DRAIN_MS_MAX = 5000;

/**
 * Writes an answer: the one place that does. A stream that breaks destroys the connection, so that what was cut never
 * looks whole.
 */
export async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
): Promise<Sent> {
  if (!request.complete) drain(request);
  response.writeHead(answer.status, { ...STANDING_HEADERS, ...answer.headers });
  if (answer.body instanceof Readable) return stream(response, answer.body);
  response.end(answer.body);
  return { isTransfer: false, bytes: answer.body?.length ?? 0, isAborted: false };
}

async function stream(response: ServerResponse, body: Readable): Promise<Sent> {
  let bytes = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  try {
    await pipeline(body, counter, response);
    return { isTransfer: true, bytes, isAborted: false };
  } catch {
    // Either side hung up or the content failed its check; pipeline has destroyed the socket, and the completion
    // record says how far it came.
    return { isTransfer: true, bytes, isAborted: true };
  }
}

function drain(request: IncomingMessage): void {
  let bytes = 0;
  const stop = (): void => {
    request.socket.destroy();
  };
  const timer = setTimeout(stop, DRAIN_MS_MAX).unref();
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > DRAIN_BYTES_MAX) stop();
  });
  request.once('close', () => clearTimeout(timer));
}
