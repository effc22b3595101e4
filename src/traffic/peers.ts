import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type AddressRange, createAddressRanges, plainAddress } from '../base/index.ts';
import { clientBehind } from './forwarded.ts';

export interface PeersOptions {
  /** Proxies whose word about the client is taken. */
  readonly trusted: readonly AddressRange[];
  /** Whether their connections begin with a PROXY header. */
  readonly proxyProtocol: boolean;
}

/** Who is at the other end, whatever stands between. */
export interface Peers {
  /** Whether a connection must begin with a PROXY header. */
  announces(socket: Socket): boolean;
  /** Notes whom the proxy named for a connection, until that ends. */
  announce(socket: Socket, address: string): void;
  /** Makes the address of a connection known for as long as anybody holds the socket, also after its end. */
  keep(socket: Socket): void;
  ofSocket(socket: Socket): string;
  ofRequest(request: IncomingMessage): string;
  /** Whether an address is a proxy's: its connections are many clients'. */
  isProxy(address: string): boolean;
}

export function createPeers({ trusted, proxyProtocol }: PeersOptions): Peers {
  const isProxy = createAddressRanges(trusted);
  // TLS makes a second socket of the first; the ends of the connection are what both have in common.
  const announced = new Map<string, string>();
  const kept = new WeakMap<Socket, string>();

  const find = (socket: Socket) => {
    // To ask for both ends of every connection is not cheap.
    const named = announced.size === 0 ? undefined : announced.get(endsOf(socket));
    return named ?? plainAddress(socket.remoteAddress);
  };
  const ofSocket = (socket: Socket) => kept.get(socket) ?? find(socket);
  return {
    announces: (socket) => proxyProtocol && isProxy(plainAddress(socket.remoteAddress)),
    announce(socket, address) {
      const ends = endsOf(socket);
      announced.set(ends, address);
      socket.once('close', () => announced.delete(ends));
    },
    keep: (socket) => void kept.set(socket, find(socket)),
    ofSocket,
    ofRequest: ({ socket, headers }) => {
      const header = headers['x-forwarded-for'];
      return clientBehind(ofSocket(socket), typeof header === 'string' ? header : undefined, isProxy);
    },
    isProxy,
  };
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
