import { createHmac, timingSafeEqual } from 'node:crypto';

/** Authenticates texts that lie or travel where others can write. */
export interface Seal {
  /** The text with its HMAC in front; `context` is what it may be read back as, such as the key it is kept under. */
  seal(context: string, text: string): string;
  /** The text, or `undefined` when it was not sealed by this key for this context. */
  open(context: string, sealed: string): string | undefined;
}

const MAC_LENGTH = 43;

/**
 * @param key at least 32 random bytes that whoever keeps the texts never sees.
 * @param purpose keeps apart what is sealed with one key for different ends.
 */
export function createSeal(key: Uint8Array, purpose: string): Seal {
  // The lengths in front keep one text from being read as another's context.
  const macOf = (context: string, text: string): string =>
    createHmac('sha256', key)
      .update(`${purpose.length}:${purpose}${context.length}:${context}${text}`)
      .digest('base64url');
  return {
    seal: (context, text) => macOf(context, text) + text,
    open(context, sealed) {
      const mac = Buffer.from(sealed.slice(0, MAC_LENGTH));
      const text = sealed.slice(MAC_LENGTH);
      const right = Buffer.from(macOf(context, text));
      return mac.length === right.length && timingSafeEqual(mac, right) ? text : undefined;
    },
  };
}
