import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Pourable, TakePiece } from '../content/index.ts';
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
  const { body } = answer;
  if (body !== undefined && !(body instanceof Uint8Array)) return transfer(response, answer, body);
  if (isEarly && !isBodyHeldBack) {
    // All of the answer is out before the rest of the body is waited for.
    response.flushHeaders();
    if (body !== undefined) response.write(body);
    await drain(request);
    response.end();
  } else {
    response.end(body);
  }
  return { isTransfer: false, bytes: body?.length ?? 0, isAborted: false };
}

/** Sends content piece by piece, the next when the one before is out. */
async function transfer(
  response: ServerResponse,
  { headers }: Answer,
  body: Readable | Pourable,
): Promise<Sent> {
  const bytesDue = Number(headers['content-length']);
  let bytes = 0;
  const send = createSend(response);
  const take: TakePiece = async (piece) => {
    await send(piece);
    bytes += piece.length;
  };
  try {
    if (body instanceof Readable) await pourStream(body, response, take);
    else await body.pour(take);
    if (bytes !== bytesDue) throw new Error(`${bytes} bytes came of ${bytesDue}`);
    response.end();
  } catch {
    // Either side hung up or the content failed its check. What is not whole must not look so.
    response.destroy();
  }
  // A client that has all it asked for may hang up before we have said the last word.
  return { isTransfer: true, bytes, isAborted: bytes !== bytesDue };
}

async function pourStream(body: Readable, response: ServerResponse, take: TakePiece): Promise<void> {
  // Whoever fills the stream may give nothing for long: it is told at once that nobody waits any more.
  const giveUp = () => body.destroy();
  if (response.destroyed) giveUp();
  response.once('close', giveUp);
  for await (const piece of body) await take(piece);
}

/** @returns gives a piece to the connection; resolves when it is out, rejects when the connection has ended. */
function createSend(response: ServerResponse): TakePiece {
  let isClosed = response.destroyed;
  let hangUp = (): void => {};
  response.once('close', () => {
    isClosed = true;
    hangUp();
  });
  return (piece) =>
    new Promise((resolve, reject) => {
      hangUp = () => reject(new Error('the client hung up'));
      if (isClosed) hangUp();
      else response.write(piece, (error) => (error ? reject(error) : resolve()));
    });
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
