import { randomBytes } from 'node:crypto';

/** Randomness, handed in so that tests can repeat it. */
export interface Random {
  /** Fresh bytes from a cryptographically secure source. */
  bytes(count: number): Uint8Array;
}

/** Every request takes several identifiers; asking for each by itself took a twentieth of a worker's time. */
const POOL_BYTES = 4096;
const SMALL_BYTES_MAX = 64;
let pool = Buffer.alloc(0);

export const systemRandom: Random = {
  bytes(count) {
    if (count > SMALL_BYTES_MAX) return randomBytes(count);
    if (pool.length < count) pool = randomBytes(POOL_BYTES);
    const taken = pool.subarray(0, count);
    const bytes = Uint8Array.from(taken);
    // What was handed out stays with whom it was handed to.
    taken.fill(0);
    pool = pool.subarray(count);
    return bytes;
  },
};

/** A new identifier: 128 random bits as 26 characters of lower-case base32, safe in URLs and file names. */
export function newId(random: Random): string {
  return toBase32(random.bytes(16));
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

function toBase32(bytes: Uint8Array): string {
  let bits = 0;
  let value = 0;
  let text = '';
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt((value >>> bits) & 31);
    }
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? text + ALPHABET.charAt((value << (5 - bits)) & 31) : text;
}
