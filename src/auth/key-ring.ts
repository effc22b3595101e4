import { createPublicKey, generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { type Changes, type Clock, StartError } from '../base/index.ts';
import { readKeyFiles, removeKeyFile, removeUnfinished, writeKeyFile } from './key-files.ts';
import type { KeyRing, SigningKey } from './ports.ts';

export interface KeyRingParts {
  /** On a change of `keys` the directory is read again. */
  readonly changes: Changes;
  /** Told when reading again failed; the keys that were read before stay in use. */
  readonly onReloadFailed: (cause: unknown) => void;
}

export interface OpenKeyRing extends KeyRing {
  close(): void;
}

/**
 * Makes the first token key when there is none. Called once, by the one process that owns the data directory,
 * before any other opens the ring.
 *
 * @throws {StartError} a key that is there cannot be used; it is never replaced.
 */
export function ensureTokenKey(directory: string, parts: { readonly clock: Clock }): void {
  removeUnfinished(directory);
  if (readKeyFiles(directory).length === 0) addTokenKey(directory, parts);
}

/**
 * Adds a key. It is published at once and signs one token life later, when every verifier has read it. Publish a
 * change of `keys` afterwards.
 */
export function addTokenKey(directory: string, parts: { readonly clock: Clock }): void {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeKeyFile(directory, parts.clock.nowMs(), pemOf(privateKey));
}

/**
 * Removes a key for good: what it signed is refused from the next change of `keys` on.
 * @returns whether there was such a key.
 */
export function removeTokenKey(directory: string, kid: string): boolean {
  const file = readKeyFiles(directory).find((one) => toSigningKey(one.key, one.createdAtMs).kid === kid);
  if (file) removeKeyFile(file.path);
  return file !== undefined;
}

/** @throws {StartError} there is no key, or one cannot be used. */
export function openKeyRing(directory: string, parts: KeyRingParts): OpenKeyRing {
  let keys = readKeys(directory);
  const reload = () => {
    try {
      keys = readKeys(directory);
    } catch (cause) {
      // A broken file beside good keys must not stop every pull; the operator is told.
      parts.onReloadFailed(cause);
    }
  };
  const stops = [
    parts.changes.onChange((change) => {
      if (change.topic === 'keys') reload();
    }),
    parts.changes.onLost(reload),
  ];
  return {
    keys: () => keys,
    close() {
      for (const stop of stops) stop();
    },
  };
}

/** What `/.well-known/jwks.json` publishes: public halves only. @see RFC 7517 */
export function printJwks(ring: KeyRing): {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
} {
  return { keys: ring.keys().map((key) => key.publicJwk) };
}

function readKeys(directory: string): readonly SigningKey[] {
  const files = readKeyFiles(directory);
  if (files.length === 0) {
    throw new StartError(
      `there is no token key in ${directory}; the first start makes one, so start the whole server`,
    );
  }
  return files
    .map((file) => toSigningKey(file.key, file.createdAtMs))
    .toSorted((a, b) => b.createdAtMs - a.createdAtMs);
}

function toSigningKey(privateKey: KeyObject, createdAtMs: number): SigningKey {
  const { kty, crv, x, y } = createPublicKey(privateKey).export({ format: 'jwk' });
  // RFC 7638: the kid is the hash of the key itself (members in this order), so it cannot name another key.
  const kid = hash('sha256', JSON.stringify({ crv, kty, x, y }), 'base64url');
  return {
    kid,
    privatePem: pemOf(privateKey),
    publicJwk: { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' },
    createdAtMs,
  };
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
