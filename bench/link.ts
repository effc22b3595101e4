import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A way to a registry that carries only so many bytes a second, all its connections together. */
export interface Link {
  readonly url: string;
  stop(): Promise<void>;
}

/** @param url `http://127.0.0.1:PORT` */
export async function startLink(url: string, bytesPerSecond: number): Promise<Link> {
  const port = Number(new URL(url).port);
  const open = new Set<Socket>();
  let freeMs = 0;
  /** Milliseconds until this many more bytes may follow. */
  const reserve = (bytes: number): number => {
    freeMs = Math.max(freeMs, performance.now()) + (bytes * 1000) / bytesPerSecond;
    return Math.max(0, freeMs - performance.now());
  };
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket);
      socket.on('error', () => other.destroy());
      socket.once('close', () => {
        open.delete(socket);
        other.end();
      });
    }
    near.pipe(far);
    far.on('data', (chunk: Buffer) => {
      far.pause();
      setTimeout(() => {
        near.write(chunk);
        far.resume();
      }, reserve(chunk.length));
    });
    far.once('end', () => setTimeout(() => near.end(), reserve(0)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async stop() {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
}
