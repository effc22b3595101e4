/**
 * The local CA, the server's certificate and its reload. Entered by app/ and cli/ (doctor). node-forge builds what
 * is signed here; everything that is read is verified by node:crypto.
 */

export type { ClientAuthorities, ClientAuthoritiesContext } from './client-authorities.ts';
export { openClientAuthorities } from './client-authorities.ts';
export type { CertificateNamesOptions } from './names.ts';
export { certificateNames } from './names.ts';
export type { Tls, TlsContext, TlsOptions, TlsParts, TlsStatus } from './open.ts';
export { openTls } from './open.ts';
export type { Tickets } from './tickets.ts';
export { createTickets } from './tickets.ts';
