/**
 * Whose traffic it is and how much: addresses of clients, also behind proxies; requests, bytes and streams by address,
 * principal and repositories. Entered by gateway/, api/ and app/.
 */

export { clientAddress, setClientAddress } from './client-address.ts';
export { createTrafficCounts } from './counts.ts';
export type { Peers, PeersOptions } from './peers.ts';
export { createPeers } from './peers.ts';
export type { TrafficCounts } from './ports.ts';
export { type ProxyHeader, parseProxyHeader } from './proxy-header.ts';
export type { Traffic, TrafficOptions } from './traffic.ts';
export { createTraffic, UNLIMITED_TRAFFIC } from './traffic.ts';
