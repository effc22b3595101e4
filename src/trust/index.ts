/** Verifies signatures and signed statements against the keys and identities of the configuration. Entered by app/. */
export type { TrustOptions } from './open-trust.ts';
export { readTrust } from './open-trust.ts';
export type { SignatureContent, SignatureLayer } from './ports.ts';
export type { Trust, TrustedIdentity, TrustedKey, Vouched } from './types.ts';
export type { Vouchers } from './vouchers.ts';
export { createVouchers } from './vouchers.ts';
