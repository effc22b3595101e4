import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';

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
  vary: 'Authorization',
} as const;

/** How much of a refused body is read, so that the client sees the answer and not a reset. */
const DRAIN_BYTES_MAX = 8 * 1024 * 1024;
const DRAIN_MS_MAX = 5000;

/**
 * Writes an answer: the one place that does. A stream that breaks destroys the connection, so that what was cut never
 * looks whole. An answer that comes before the end of the request's body is the connection's last: what follows
 * would else be read as the next request.
 */
export async function respond(
  { request, response, isBodyHeldBack }: Pick<Exchange, 'request' | 'response' | 'isBodyHeldBack'>,
  answer: Answer,
): Promise<Sent> {
  const isEarly = !request.complete;
  const last = isEarly ? { connection: 'close' } : {};
  response.writeHead(answer.status, { ...STANDING_HEADERS, ...answer.headers, ...last });
  if (answer.body instanceof Readable) return stream(response, answer.body);
  if (isEarly && !isBodyHeldBack) {
    // All of the answer is out before the rest of the body is waited for.
    response.flushHeaders();
    if (answer.body !== undefined) response.write(answer.body);
    await drain(request);
    response.end();
  } else {
    response.end(answer.body);
  }
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

/** Reads what is left of a body and throws it away, until its end, the connection's, or the limits. */
function drain(request: IncomingMessage): Promise<void> {
  if (request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let bytes = 0;
    const end = (): void => {
      clearTimeout(timer);
      request.off('data', count);
      resolve();
    };
    const count = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > DRAIN_BYTES_MAX) end();
    };
    const timer = setTimeout(end, DRAIN_MS_MAX);
    request.on('data', count).once('end', end).once('close', end).resume();
  });
}
