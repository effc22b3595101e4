import type { Server, Socket } from 'node:net';
import { sourceOf } from '../limits/index.ts';

/**
 * Closes connections of an address that has too many already, before a handshake costs anything. An IPv6 network of
 * 64 bits counts as one address.
 *
 * @param connectionsMax that one address may have at once.
 * @param onRefused gets the address.
 * @see threats F-30, H-29
 */
export function capByAddress(
  server: Server,
  connectionsMax: number,
  onRefused: (address: string) => void,
): void {
  const open = new Map<string, number>();
  const admit = (socket: Socket): boolean => {
    // Gone before it was seen: Node handles that.
    if (socket.remoteAddress === undefined) return true;
    const source = sourceOf(socket.remoteAddress);
    const count = open.get(source) ?? 0;
    if (count >= connectionsMax) return false;
    open.set(source, count + 1);
    socket.once('close', () => {
      const left = (open.get(source) ?? 1) - 1;
      if (left > 0) open.set(source, left);
      else open.delete(source);
    });
    return true;
  };
  // What begins TLS must not see a connection that is refused: it would answer and report it as one that failed.
  const begin = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    if (admit(socket)) {
      for (const listener of begin) Reflect.apply(listener, server, [socket]);
      return;
    }
    onRefused(socket.remoteAddress ?? '');
    socket.destroy();
  });
}
