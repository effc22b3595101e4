import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '../base/index.ts';
import type { Repository } from '../oci/index.ts';

/** What the next request of an upload must prove: it may come to another worker or replica. */
export interface UploadSession {
  readonly repository: Repository;
  /** Id of the principal that began the upload; anyone else gets 404. */
  readonly principalId: string;
  /** The registry's own word for the upload; opaque to us. */
  readonly state: string;
  readonly expiresAtMs: number;
}

export interface UploadSessions {
  seal(session: UploadSession): string;
  /** @returns `undefined` for anything that this gateway did not seal, or that is over. */
  open(token: string, nowMs: number): UploadSession | undefined;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
const TOKEN_LENGTH_MAX = 3500;

/**
 * Sealed with AES-256-GCM: nobody can make or change one, and the registry's own upload address, which may name
 * hosts behind us, stays unreadable.
 *
 * @param key 32 bytes, the same in every worker and replica.
 */
export function createUploadSessions(key: Uint8Array, random: Random): UploadSessions {
  return {
    seal({ repository, principalId, state, expiresAtMs }) {
      const iv = random.bytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, iv);
      const plain = JSON.stringify([repository, principalId, state, expiresAtMs]);
      const sealed = Buffer.concat([iv, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return sealed.toString('base64url');
    },
    open(token, nowMs) {
      const session =
        token.length > TOKEN_LENGTH_MAX ? undefined : unseal(key, Buffer.from(token, 'base64url'));
      return session && nowMs < session.expiresAtMs ? session : undefined;
    },
  };
}

function unseal(key: Uint8Array, sealed: Buffer): UploadSession | undefined {
  if (sealed.length < IV_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    const plain = Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
    const [repository, principalId, state, expiresAtMs] = JSON.parse(plain.toString('utf8'));
    return { repository, principalId, state, expiresAtMs };
  } catch {
    // Not sealed by us: to the caller there is no such upload.
    return undefined;
  }
}
