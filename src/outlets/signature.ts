import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/**
 * Headers that prove a body to whoever shares a secret, as Standard Webhooks signs them: HMAC-SHA256 over
 * `id.timestamp.body`. The time is in the signature, so that an old body cannot be sent again.
 *
 * @param secrets `whsec_` and the key in base64, as the specification writes them, or a text that is the key itself.
 *   With several, one signature by each: a receiver takes the body when one of them is right.
 * @see https://www.standardwebhooks.com, "Signature scheme" and "Zero downtime secret rotation"
 */
export function signatureHeaders(
  message: { readonly id: string; readonly atMs: number; readonly body: string },
  ...secrets: readonly string[]
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(message.atMs / 1000));
  const signed = `${message.id}.${timestamp}.${message.body}`;
  const signatures = secrets.map(
    (secret) => `v1,${createHmac('sha256', keyOf(secret)).update(signed).digest('base64')}`,
  );
  return {
    'webhook-id': message.id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}

function keyOf(secret: string): string | Buffer {
  return secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), 'base64') : secret;
}
