import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';

/** One client's conversations with the gateway, as `test/record-clients.ts` took them down; secrets are `<names>`. */
export interface Transcript {
  /** The program and its version. */
  readonly client: string;
  readonly conversations: readonly Conversation[];
}

/** From the sign-in to the end of one command; begins with nothing remembered. */
export interface Conversation {
  readonly title: string;
  readonly exchanges: readonly Exchange[];
}

export interface Exchange {
  readonly ask: Ask;
  readonly answer: Answer;
}

export type Headers = Readonly<Record<string, string | readonly string[]>>;

export interface Ask {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Names in lower case; a header that came several times has several values. */
  readonly headers: Headers;
  readonly body?: Body;
}

export interface Answer {
  readonly status: number;
  /** Those that clients go by. */
  readonly headers: Headers;
  /** Absent: an empty one. */
  readonly body?: AnswerBody;
}

/** Text as it is; other bytes compressed, in base64. */
export type Body = string | { readonly gzip: string };

/** JSON that speaks to the client, or the digest of the content it was given. */
export type AnswerBody = { readonly json: unknown } | { readonly sha256: string; readonly bytes: number };

/** As it went over the line. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** What some client goes by. An answer's other headers may change freely. */
const KEPT_OF_ANSWER: ReadonlySet<string> = new Set([
  ...['accept-ranges', 'content-length', 'content-range', 'content-type', 'docker-content-digest'],
  ...['docker-distribution-api-version', 'docker-upload-uuid', 'etag', 'link', 'location'],
  ...['oci-chunk-min-length', 'oci-subject', 'oci-tag', 'range', 'retry-after', 'transfer-encoding'],
  'www-authenticate',
]);

/** Only of this line. */
const DROPPED_OF_ASK: ReadonlySet<string> = new Set(['connection', 'host']);

/** Stands for the length of a body whose secrets are replaced: it is checked against the body, not against a number. */
export const LENGTH = '<length>';

export function groupHeaders(rawHeaders: readonly string[]): Headers {
  const grouped: Record<string, string | string[]> = {};
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    const value = rawHeaders[at + 1] ?? '';
    const earlier = grouped[name];
    grouped[name] = earlier === undefined ? value : [earlier, value].flat();
  }
  return grouped;
}

/** As Node takes them. */
export function toOutgoing(headers: Headers): Record<string, string | string[]> {
  const copied = Object.entries(headers).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : [...value],
  ]);
  return Object.fromEntries(copied);
}

export function keptOfAsk(headers: Headers): Headers {
  const kept = Object.entries(headers).filter(([name]) => !DROPPED_OF_ASK.has(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, name === 'content-length' ? LENGTH : value]));
}

/** Its headers and body with nothing replaced yet. */
export function keptOfAnswer(raw: RawAnswer): Answer {
  const kept = Object.entries(raw.headers).filter(([name]) => KEPT_OF_ANSWER.has(name));
  const headers = Object.fromEntries(kept);
  const isJson = String(headers['content-type']).startsWith('application/json');
  const { length } = raw.body;
  // The answer to HEAD tells the length of a body that does not come.
  if (isJson && (length === 0 || headers['content-length'] === String(length)))
    headers['content-length'] = LENGTH;
  if (length === 0) return { status: raw.status, headers };
  const body = isJson
    ? { json: withoutDetails(JSON.parse(raw.body.toString())) }
    : { sha256: createHash('sha256').update(raw.body).digest('hex'), bytes: length };
  return { status: raw.status, headers, body };
}

/** Clients go by the code and the message of an error; the detail differs with each decision. */
function withoutDetails(json: unknown): unknown {
  return JSON.parse(JSON.stringify(json), (key, value) => (key === 'detail' ? undefined : value));
}

export function packBody(bytes: Buffer): Body {
  const text = bytes.toString('utf8');
  const isText = !/[^\P{Cc}\n\t]/u.test(text) && Buffer.from(text).equals(bytes);
  return isText ? text : { gzip: gzipSync(bytes).toString('base64') };
}

export function unpackBody(body: Body): Buffer {
  return typeof body === 'string' ? Buffer.from(body) : gunzipSync(Buffer.from(body.gzip, 'base64'));
}
