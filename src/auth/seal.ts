import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '../base/index.ts';

/** Seals small secrets that are kept in SQL, so that a copy of the database alone is worth nothing. */
export interface Seal {
  /** @param of whose it is; a sealed value that is moved to another row cannot be opened there. */
  close(secret: string, of: string): string;
  /** @throws {Error} another key, another owner, or changed. */
  open(sealed: string, of: string): string;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 'v1:';

/** @param key 32 bytes, for AES-256-GCM. */
export function createSeal(key: Uint8Array, { random }: { readonly random: Random }): Seal {
  return {
    close(secret, of) {
      const nonce = random.bytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(of));
      const body = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
      return VERSION + Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64');
    },
    open(sealed, of) {
      const bytes = Buffer.from(sealed.slice(VERSION.length), 'base64');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(of)).setAuthTag(bytes.subarray(-TAG_BYTES));
      const body = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
      return Buffer.concat([body, decipher.final()]).toString('utf8');
    },
  };
}
