import { createHmac } from 'node:crypto';

/**
 * Headers that prove a body to whoever shares the secret, as Standard Webhooks signs them: HMAC-SHA256 over
 * `id.timestamp.body`. The time is in the signature, so that an old body cannot be sent again.
 *
 * @see https://www.standardwebhooks.com, "Signature scheme"
 */
export function signatureHeaders(
  message: { readonly id: string; readonly atMs: number; readonly body: string },
  secret: string,
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(message.atMs / 1000));
  const mac = createHmac('sha256', secret).update(`${message.id}.${timestamp}.${message.body}`);
  return {
    'webhook-id': message.id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${mac.digest('base64')}`,
  };
}
