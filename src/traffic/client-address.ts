import type { IncomingMessage } from 'node:http';
import { plainAddress } from '../base/index.ts';

/** The listener finds out once for each request; everybody behind it must count and record the same address. */
const addresses = new WeakMap<IncomingMessage, string>();

export function setClientAddress(request: IncomingMessage, address: string): void {
  addresses.set(request, address);
}

/**
 * The client of a request: the peer of its connection, or whom a trusted proxy names. Empty on a Unix socket.
 */
export function clientAddress(request: IncomingMessage): string {
  return addresses.get(request) ?? plainAddress(request.socket.remoteAddress);
}
