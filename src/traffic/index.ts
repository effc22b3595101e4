/** Whose traffic it is: addresses of clients, also behind proxies. Entered by gateway/, api/ and app/. */

export { clientAddress, setClientAddress } from './client-address.ts';
export type { Peers, PeersOptions } from './peers.ts';
export { createPeers } from './peers.ts';
export { type ProxyHeader, parseProxyHeader } from './proxy-header.ts';
