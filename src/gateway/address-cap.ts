import type { Server, Socket } from 'node:net';
import { sourceOf } from '../limits/index.ts';
import type { Peers } from '../traffic/index.ts';
import { beforeConnection } from './proxied.ts';

interface AddressCapOptions {
  readonly peers: Pick<Peers, 'ofSocket' | 'isProxy'>;
  /** Connections that one address may have at once. */
  readonly connectionsMax: number;
  /** Gets the address. */
  readonly onRefused: (address: string) => void;
}

/**
 * Closes connections of an address that has too many already, before a handshake costs anything. An IPv6 network of
 * 64 bits counts as one address; a trusted proxy that does not say whom a connection serves counts not at all, since
 * it serves many.
 *
 * @see threats F-30, H-29
 */
export function capByAddress(server: Server, { peers, connectionsMax, onRefused }: AddressCapOptions): void {
  const open = new Map<string, number>();
  const admit = (socket: Socket): boolean => {
    const address = peers.ofSocket(socket);
    // Gone before it was seen: Node handles that.
    if (address === '' || peers.isProxy(address)) return true;
    const source = sourceOf(address);
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
  beforeConnection(server, (socket, begin) => {
    if (admit(socket)) return begin();
    onRefused(peers.ofSocket(socket));
    socket.destroy();
  });
}
