import type { Server, Socket } from 'node:net';
import { type Peers, parseProxyHeader } from '../traffic/index.ts';

interface ProxiedOptions {
  readonly peers: Pick<Peers, 'announces' | 'announce'>;
  /** Longest time in milliseconds for the header to arrive. */
  readonly headerMsMax: number;
  /** Gets a connection whose first bytes are no header, or that sent none in time; it is closed afterwards. */
  readonly onRefused: (socket: Socket) => void;
}

/**
 * Takes the PROXY header off connections from trusted proxies before TLS begins. From anybody else it is no TLS, and
 * fails as such.
 */
export function takeProxyHeaders(server: Server, options: ProxiedOptions): void {
  beforeConnection(server, (socket, begin) => {
    if (options.peers.announces(socket)) readHeader(socket, options, begin);
    else begin();
  });
}

/**
 * Puts a step before everything that a server does with a new connection.
 *
 * @param step calls `begin`, or ends the connection.
 */
export function beforeConnection(server: Server, step: (socket: Socket, begin: () => void) => void): void {
  const listeners = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) =>
    step(socket, () => {
      for (const listener of listeners) Reflect.apply(listener, server, [socket]);
    }),
  );
}

function readHeader(
  socket: Socket,
  { peers, headerMsMax, onRefused }: ProxiedOptions,
  begin: () => void,
): void {
  let bytes = Buffer.alloc(0);
  const stop = (): void => {
    clearTimeout(timer);
    socket.off('readable', read).off('end', giveUp).off('error', giveUp).off('close', stop);
  };
  const refuse = (): void => {
    stop();
    onRefused(socket);
    giveUp();
  };
  const giveUp = (): void => {
    stop();
    // A reset may still follow, and is nothing to anybody.
    socket.on('error', () => {}).destroy();
  };
  const read = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    // No header is so long that this could grow for ever.
    bytes = Buffer.concat([bytes, chunk]);
    const header = parseProxyHeader(bytes);
    if (header.kind === 'malformed') refuse();
    if (header.kind !== 'header') return;
    stop();
    if (header.address !== undefined) peers.announce(socket, header.address);
    // What came with the header is already TLS.
    if (bytes.length > header.bytes) socket.unshift(bytes.subarray(header.bytes));
    begin();
  };
  const timer = setTimeout(refuse, headerMsMax);
  // A proxy that looks whether we are there says nothing and goes.
  socket.on('readable', read).once('end', giveUp).once('error', giveUp).once('close', stop);
}
