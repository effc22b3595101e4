import { hkdfSync } from 'node:crypto';
import { HOUR_MS } from '../base/index.ts';

/** What seals the sessions that clients may take up again. */
export interface TicketKey {
  /** 16 bytes that stand in the ticket. */
  readonly name: Buffer;
  /** 16 bytes each. */
  readonly hmac: Buffer;
  readonly aes: Buffer;
}

/** Each key seals for so long, counted from 1970, so that all who hold the secret change it together. */
const TICKET_KEY_MS = 12 * HOUR_MS;
/** A ticket is taken for so long, also when another key seals meanwhile. */
export const TICKET_MS = HOUR_MS;

/** The periods whose keys count at a moment: that of the first one seals, those of all open. */
export function ticketPeriodsAt(nowMs: number): readonly [number, ...number[]] {
  const period = Math.floor(nowMs / TICKET_KEY_MS);
  return nowMs - period * TICKET_KEY_MS < TICKET_MS ? [period, period - 1] : [period];
}

/**
 * The key of a period. Two processes with the same secret have the same one, and one key tells nothing about another
 * (HKDF, RFC 5869).
 *
 * @param bound what a session was judged by (authorities and revocation lists): with another one it is not taken up.
 */
export function ticketKey(secret: Uint8Array, bound: string, period: number): TicketKey {
  const bytes = Buffer.from(hkdfSync('sha256', secret, bound, `dockgate tls ticket ${period}`, 48));
  return { name: bytes.subarray(0, 16), hmac: bytes.subarray(16, 32), aes: bytes.subarray(32) };
}
