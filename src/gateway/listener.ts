import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { Audit, AuditEntry } from '../audit/index.ts';
import { forgetCertificate } from '../auth/index.ts';
import { type Logger, newId, type Random } from '../base/index.ts';
import { clientAddress, createPeers, type PeersOptions, setClientAddress } from '../traffic/index.ts';
import { capByAddress } from './address-cap.ts';
import { type Connections, createConnections } from './connections.ts';
import type { Gateway } from './handler.ts';
import { takeProxyHeaders } from './proxied.ts';

export interface ListenerOptions {
  readonly tls: SecureContextOptions;
  /** Whether clients are asked for a certificate; what it is worth is decided with each request. */
  readonly asksForCertificates?: boolean;
  /** Longest time in milliseconds for a request's header to arrive. */
  readonly headerMsMax: number;
  /** A connection on which the client moves nothing for this many milliseconds is cut. */
  readonly idleMsMax: number;
  readonly headerBytesMax: number;
  /** Connections that one address may have at once; no limit unless said. */
  readonly connectionsPerAddressMax?: number;
  /** Proxies in front of us; none unless said. */
  readonly proxies?: PeersOptions;
}

export interface ListenerParts {
  readonly gateway: Gateway;
  /** Everything that is not below /v2: tokens, administration, console. */
  readonly others: (request: IncomingMessage, response: ServerResponse) => void;
  readonly audit: Pick<Audit, 'note'>;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Listener {
  readonly server: Server;
  /** Takes a renewed certificate without dropping a connection. */
  renew(tls: SecureContextOptions): void;
  /** Makes every client show its certificate anew: a list of revoked ones has changed. */
  forgetCertificates(): void;
  /** Refuses new connections and resolves when those there are have ended; idle ones end at once. */
  drain(): Promise<void>;
}

const CHECK_EVERY_MS_MAX = 5000;
/** While the server ends, connections that have become idle are closed so often. */
const CLOSE_EVERY_MS = 100;

const STATUS_OF_ERROR: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/**
 * The TLS server: one port for the registry, the tokens and the API. What is no request is recorded, too.
 *
 * @see threats H-14 to H-31, A-27
 */
export function createListener(options: ListenerOptions, parts: ListenerParts): Listener {
  const server = createServer({
    ...options.tls,
    requestCert: options.asksForCertificates === true,
    // A handshake that fails could say nothing; the request is refused with a sentence instead.
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    maxHeaderSize: options.headerBytesMax,
    headersTimeout: options.headerMsMax,
    handshakeTimeout: options.headerMsMax,
    // Node looks for late headers every 30 seconds otherwise.
    connectionsCheckingInterval: Math.min(options.headerMsMax, CHECK_EVERY_MS_MAX),
    // A push of a large layer over a slow line takes as long as it takes; `timeout` below cuts what stands still.
    requestTimeout: 0,
    keepAliveTimeout: 75_000,
    // Node would refuse it without a word to us; `route` does, and records it.
    requireHostHeader: false,
  });
  const peers = createPeers(options.proxies ?? { trusted: [], proxyProtocol: false });
  const reject = (reason: string, status: number, address: string): void =>
    parts.audit.note(rejected(parts, reason, status, address));
  capByAddress(server, {
    peers,
    connectionsMax: options.connectionsPerAddressMax ?? Number.POSITIVE_INFINITY,
    onRefused: (address) => reject('connections.address', 0, address),
  });
  takeProxyHeaders(server, {
    peers,
    headerMsMax: options.headerMsMax,
    onRefused: (socket) => reject('proxy.header', 0, peers.ofSocket(socket)),
  });
  server.prependListener('secureConnection', (socket) => peers.keep(socket));
  const connections = createConnections(options);
  const certified = new Set<TLSSocket>();
  if (options.asksForCertificates) {
    server.on('secureConnection', (socket) => {
      certified.add(socket);
      socket.once('close', () => certified.delete(socket));
    });
  }
  server.timeout = options.idleMsMax;
  server.on('timeout', (socket) => {
    // While we store what the client sent, or hold its pull for a scan, it has nothing to say.
    if (connections.isOurSilence(socket)) socket.setTimeout(options.idleMsMax);
    else socket.destroy();
  });
  const arrive = (request: IncomingMessage, response: ServerResponse): void => {
    setClientAddress(request, peers.ofRequest(request));
    connections.track(request, response);
  };
  server.on('request', (request, response) => {
    arrive(request, response);
    route(parts, request, response, () => {});
  });
  server.on('checkContinue', (request, response) => {
    arrive(request, response);
    route(parts, request, response, () => response.writeContinue());
  });
  server.on('checkExpectation', (request, response) => {
    arrive(request, response);
    rejectRequest(parts, request, response, { reason: 'expect.unknown', status: 417 });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const address = socket instanceof Socket ? peers.ofSocket(socket) : '';
    rejectBytes(error, socket, { connections, reject: (reason, status) => reject(reason, status, address) });
  });
  // Before Node's own listener, which calls it a clientError: an answer would wait for ever for a handshake that is
  // not going to end.
  server.prependListener('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    if (!connections.isFirstError(socket)) return;
    reject(`tls.${error.code ?? 'error'}`, 0, peers.ofSocket(socket));
    socket.destroy();
  });
  // CONNECT and Upgrade are not ours: without a listener Node would hand the socket to nobody.
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    reject('method.connect', 405, peers.ofRequest(request));
    // Node has let go of the connection: nothing else would ever end one whose client does not.
    socket.on('error', () => {});
    const answer = 'HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
    socket.end(answer, () => socket.destroy());
  });
  return {
    server,
    renew: (tls) => server.setSecureContext(tls),
    forgetCertificates() {
      for (const socket of certified) forgetCertificate(socket);
    },
    drain: () =>
      new Promise((resolve) => {
        // A client keeps its connection after a transfer, for the next one: that must not keep the process (F-50).
        const closing = setInterval(() => server.closeIdleConnections(), CLOSE_EVERY_MS);
        server.close(() => {
          clearInterval(closing);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

function route(
  parts: ListenerParts,
  request: IncomingMessage,
  response: ServerResponse,
  welcomeBody: () => void,
): void {
  // A client that resets its connection is no error of ours.
  request.on('error', () => {});
  response.on('error', () => {});
  if (request.headers.host === undefined && request.httpVersion === '1.1') {
    rejectRequest(parts, request, response, { reason: 'host.missing', status: 400 });
    return;
  }
  const target = request.url ?? '';
  if (target === '/v2' || target.startsWith('/v2/') || !target.startsWith('/')) {
    parts.gateway.handle(request, response, welcomeBody).catch((error: unknown) => {
      parts.logger.error('the gateway threw', {}, error);
      response.destroy();
    });
    return;
  }
  // Small bodies only: they are welcome, and refused by their size.
  welcomeBody();
  parts.others(request, response);
}

/** Refuses what could be parsed and is no request nevertheless; the connection ends, as after all that is none. */
function rejectRequest(
  parts: ListenerParts,
  request: IncomingMessage,
  response: ServerResponse,
  { reason, status }: { readonly reason: string; readonly status: number },
): void {
  parts.audit.note(rejected(parts, reason, status, clientAddress(request)));
  response.writeHead(status, { 'content-length': '0', connection: 'close' }).end();
}

function rejectBytes(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  {
    connections,
    reject,
  }: {
    readonly connections: Connections;
    readonly reject: (reason: string, status: number) => void;
  },
): void {
  // The parser says it again for whatever comes after what it did not understand.
  if (!connections.isFirstError(socket)) return;
  const code = error.code ?? 'unknown';
  const status = STATUS_OF_ERROR[code] ?? 400;
  const isReset = code === 'ECONNRESET';
  // A reset is the end of a connection, not a request that was refused. Of a request whose body is no body, its own
  // record says that it was cut.
  if (!isReset && !connections.isReceiving(socket)) {
    reject(`http.${code}`, status);
  }
  // In the middle of an answer our "no" would be taken for content.
  if (socket.writable && !isReset && !connections.isAnswering(socket)) {
    socket.end(`HTTP/1.1 ${status} Rejected\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  } else {
    socket.destroy();
  }
}

function rejected(parts: ListenerParts, reason: string, status: number, address: string): AuditEntry {
  return {
    kind: 'decision',
    requestId: newId(parts.random),
    action: 'connection',
    outcome: 'refused',
    status,
    reason,
    client: { address },
  };
}
