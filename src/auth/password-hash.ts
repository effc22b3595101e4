import { argon2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { KiB, type Random } from '../base/index.ts';
import { type Refusal, refuse } from '../oci/index.ts';
import { createTurnstile } from './turnstile.ts';

export interface PasswordHashOptions {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly parallelism: number;
  /** Hashes of this process that run at once; each takes `memoryKiB` and a thread of the pool that writes files. */
  readonly runningMax: number;
  readonly waitingMax: number;
}

/** About 90 ms of one core (measured); a worker for each core, so one at a time in each. */
export const DEFAULT_PASSWORD_HASH_OPTIONS: PasswordHashOptions = {
  memoryKiB: 65_536,
  passes: 1,
  parallelism: 1,
  runningMax: 1,
  waitingMax: 16,
};

/** Longer ones are refused before any work: hashing must not be a way to keep us busy. */
export const PASSWORD_BYTES_MAX = KiB;

export interface PasswordHasher {
  /** @returns a PHC string, or the refusal when too many hashes wait. */
  hash(password: string): Promise<string | Refusal>;
  /**
   * Takes as long for `undefined` (no such account) as for an account.
   * @returns the refusal when too many hashes wait.
   */
  verify(password: string, secretHash: string | undefined): Promise<'right' | 'wrong' | Refusal>;
  /** Whether the hash was made with less work than is asked of it now. */
  needsRehash(secretHash: string): boolean;
}

interface Phc {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly parallelism: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

const SALT_BYTES = 16;
const HASH_BYTES = 32;
const MEMORY_KIB_MAX = 1_048_576;
const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d)\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;
const runArgon2 = promisify(argon2);

/** Argon2id by node:crypto; hashes are PHC strings, so each records its own parameters. */
export function createPasswordHasher(
  options: PasswordHashOptions,
  parts: { readonly random: Random },
): PasswordHasher {
  const turnstile = createTurnstile(options);
  const { memoryKiB, passes, parallelism } = options;
  const fresh = (hash: Uint8Array): Phc => ({
    memoryKiB,
    passes,
    parallelism,
    salt: Buffer.from(parts.random.bytes(SALT_BYTES)),
    hash: Buffer.from(hash),
  });
  const nobody = fresh(parts.random.bytes(HASH_BYTES));

  return {
    async hash(password) {
      const phc = fresh(new Uint8Array(HASH_BYTES));
      const hash = await turnstile.pass(() => compute(password, phc));
      return hash === undefined ? tooBusy() : printPhc({ ...phc, hash });
    },
    async verify(password, secretHash) {
      if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX) return 'wrong';
      const known = secretHash === undefined ? undefined : parsePhc(secretHash);
      const phc = known ?? nobody;
      const hash = await turnstile.pass(() => compute(password, phc));
      if (hash === undefined) return tooBusy();
      const isSame = timingSafeEqual(hash, phc.hash);
      return isSame && known !== undefined ? 'right' : 'wrong';
    },
    needsRehash(secretHash) {
      const phc = parsePhc(secretHash);
      return phc === undefined || phc.memoryKiB * phc.passes < memoryKiB * passes;
    },
  };
}

/** The same letters can be typed as different code points; NFC makes them one password. */
function compute(password: string, phc: Phc): Promise<Buffer> {
  return runArgon2('argon2id', {
    message: password.normalize('NFC'),
    nonce: phc.salt,
    parallelism: phc.parallelism,
    tagLength: phc.hash.length,
    memory: phc.memoryKiB,
    passes: phc.passes,
  });
}

function tooBusy(): Refusal {
  const message = 'dockgate: too many people are signing in at this moment, try again in a few seconds';
  return refuse('TOOMANYREQUESTS', message, { headers: { 'Retry-After': '3' } });
}

function printPhc(phc: Phc): string {
  const parameters = `m=${phc.memoryKiB},t=${phc.passes},p=${phc.parallelism}`;
  return `$argon2id$v=19$${parameters}$${base64(phc.salt)}$${base64(phc.hash)}`;
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

/** @returns `undefined` for anything else than argon2id version 1.3 with parameters in its bounds. */
function parsePhc(text: string): Phc | undefined {
  const [, memory, passes, parallelism, salt, hash] = PHC.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  const phc = {
    memoryKiB: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  };
  const isInBounds =
    phc.passes >= 1 &&
    phc.parallelism >= 1 &&
    phc.memoryKiB >= 8 * phc.parallelism &&
    phc.memoryKiB <= MEMORY_KIB_MAX;
  return isInBounds ? phc : undefined;
}
