import { once } from 'node:events';
import { connect as connectTo, createServer, type Socket } from 'node:net';

/** A line to a port of this machine that breaks once, in the middle of the first long answer. */
export interface CutLine {
  readonly port: number;
  /** Set when the line is whole and the server is known. */
  connect(port: number): void;
  hasCut(): boolean;
  /** Bytes that clients were sent, over all connections. */
  sentBytes(): number;
  /** How many connections clients opened. */
  connections(): number;
  close(): Promise<void>;
}

/**
 * Carries bytes as they come, TLS and all, and ends one connection when it has carried so many towards the client.
 *
 * @param cutAfterBytes of one connection.
 */
export async function openCutLine(cutAfterBytes: number): Promise<CutLine> {
  let target = 0;
  let isCut = false;
  let sent = 0;
  let connections = 0;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    connections += 1;
    const upstream = connectTo(target, '127.0.0.1');
    let carried = 0;
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => open.delete(socket));
    }
    upstream.on('data', (chunk: Buffer) => {
      carried += chunk.length;
      sent += chunk.length;
      if (!isCut && carried > cutAfterBytes) {
        isCut = true;
        // What was carried so far arrives; what follows does not.
        client.end(chunk);
        upstream.destroy();
      } else if (!client.write(chunk)) upstream.pause();
    });
    client.on('drain', () => upstream.resume());
    client.pipe(upstream);
    upstream.on('end', () => client.end());
    upstream.on('close', () => client.end());
    client.on('close', () => upstream.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    connect(port) {
      target = port;
    },
    hasCut: () => isCut,
    sentBytes: () => sent,
    connections: () => connections,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
