import { type Refusal, refuse } from '../oci/index.ts';

/** What an Authorization header shows. */
export type Credential =
  | { readonly kind: 'basic'; readonly name: string; readonly secret: string }
  | { readonly kind: 'bearer'; readonly token: string };

export type AuthorizationHeader =
  | { readonly ok: true; readonly authorization: string | undefined }
  | { readonly ok: false; readonly refusal: Refusal; readonly reason: 'authorization.twice' };

const HEADER_LENGTH_MAX = 16_384;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * The Authorization header of a request as it was received. Node's `headers` keep the first of two and hide the
 * other; whoever stands in front of us may have checked the second, so two are refused.
 *
 * @param rawHeaders `IncomingMessage.rawHeaders`: names and values in turn.
 */
export function authorizationOf(rawHeaders: readonly string[]): AuthorizationHeader {
  const values = rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'authorization',
  );
  if (values.length <= 1) return { ok: true, authorization: values[0] };
  const message = 'dockgate: the request holds more than one Authorization header; send one';
  return {
    ok: false,
    refusal: refuse('UNAUTHORIZED', message, { status: 400 }),
    reason: 'authorization.twice',
  };
}

/**
 * Reads `Basic` and `Bearer` (in any case, RFC 9110 chapter 11.1) with exactly one value.
 * @returns `undefined` for anything else, such as a list or another scheme.
 */
export function parseAuthorization(header: string): Credential | undefined {
  if (header.length > HEADER_LENGTH_MAX) return undefined;
  const [scheme = '', value = '', ...others] = header.split(' ').filter((word) => word !== '');
  if (value === '' || others.length > 0 || value.includes(',')) return undefined;
  if (scheme.toLowerCase() === 'bearer') return { kind: 'bearer', token: value };
  return scheme.toLowerCase() === 'basic' ? parseBasic(value) : undefined;
}

/** @see RFC 7617: the name ends at the first colon; a password may hold more of them. */
function parseBasic(value: string): Credential | undefined {
  const text = BASE64.test(value) ? decodeUtf8(Buffer.from(value, 'base64')) : undefined;
  const colonAt = text?.indexOf(':') ?? -1;
  if (text === undefined || colonAt < 1 || colonAt === text.length - 1) return undefined;
  return { kind: 'basic', name: text.slice(0, colonAt), secret: text.slice(colonAt + 1) };
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Not text, so it is no name and password.
    return undefined;
  }
}
