import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export interface ConnectionsOptions {
  /** A connection on which the client moves nothing for this many milliseconds is cut. */
  readonly idleMsMax: number;
}

/** What is under way on which connection; tells a client that stands still from one that waits for us. */
export interface Connections {
  /** Notes a request until its answer has ended, and cuts it when its body only trickles. */
  track(request: IncomingMessage, response: ServerResponse): void;
  /** Whether bytes of an answer are out and not all of them: anything written now would be taken for content. */
  isAnswering(socket: Duplex): boolean;
  /** Whether the body of a request is still to come. */
  isReceiving(socket: Duplex): boolean;
  /** Whether bytes that are no request came for the first time; true once for each connection. */
  isFirstError(socket: Duplex): boolean;
  /** For a connection that was silent for `idleMsMax`: whether the silence is ours, the client having said all. */
  isOurSilence(socket: Duplex): boolean;
}

interface Underway {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * A body slower than this, over a whole idle time, keeps an upload and its file open for nothing. @see threat H-29
 */
const BODY_BYTES_PER_SECOND_MIN = 256;

export function createConnections({ idleMsMax }: ConnectionsOptions): Connections {
  const all = new WeakMap<Duplex, Set<Underway>>();
  const broken = new WeakSet<Duplex>();
  const on = (socket: Duplex): readonly Underway[] => [...(all.get(socket) ?? [])];
  const bytesMin = (idleMsMax / 1000) * BODY_BYTES_PER_SECOND_MIN;

  return {
    track(request, response) {
      const underway = { request, response };
      const here = all.get(request.socket) ?? new Set();
      all.set(request.socket, here.add(underway));
      const timer = hasBody(request) ? cutTrickle(request, idleMsMax, bytesMin) : undefined;
      response.once('close', () => {
        clearInterval(timer);
        here.delete(underway);
      });
    },
    isAnswering: (socket) => on(socket).some(({ response }) => response.headersSent),
    isReceiving: (socket) => on(socket).some(({ request }) => !request.complete),
    isFirstError(socket) {
      const isFirst = !broken.has(socket);
      broken.add(socket);
      return isFirst;
    },
    isOurSilence: (socket) =>
      on(socket).some(({ request, response }) => request.complete && !response.headersSent),
  };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function cutTrickle(request: IncomingMessage, everyMs: number, bytesMin: number): NodeJS.Timeout {
  const { socket } = request;
  let before = socket.bytesRead;
  const timer = setInterval(() => {
    if (request.complete) return clearInterval(timer);
    // Bytes that wait to be read wait for us.
    const isClients = request.readableLength === 0;
    if (isClients && socket.bytesRead - before < bytesMin) socket.destroy();
    before = socket.bytesRead;
  }, everyMs);
  return timer;
}
