import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { type JsonValue, type OciCode, parseStrictJson } from '../oci/index.ts';
import { faultOf, upstreamAway, upstreamBroken, upstreamBusy, upstreamSignInFailed } from './faults.ts';

/** Longest answer that is read where nothing but a few words are expected. */
export const SMALL_BYTES_MAX = 64 * 1024;

/** An answer's headers; names in lower case. */
export type AnswerHeaders = Readonly<IncomingHttpHeaders>;

/** An answer whose body is in memory. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly bytes: Uint8Array;
}

/** An answer whose body is still to come; it must be read or destroyed. */
export interface OpenAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: Readable;
}

/**
 * A header that may stand once only. Given twice, two readers could believe different ones, so it is no
 * answer.
 * @throws {UpstreamUnavailable}
 */
export function headerOf(answer: { readonly headers: AnswerHeaders }, name: string): string | undefined {
  const value = answer.headers[name];
  if (Array.isArray(value)) throw upstreamBroken(`the header ${name} twice`);
  return value;
}

/**
 * @returns the bytes that Content-Length promises; `undefined` when the body is chunked.
 * @throws {UpstreamUnavailable} no length and not chunked: then an end and a cut look the same.
 */
export function bodyLengthOf(answer: { readonly headers: AnswerHeaders }): number | undefined {
  const length = headerOf(answer, 'content-length');
  if (length !== undefined) {
    if (!/^\d{1,15}$/.test(length)) throw upstreamBroken('a malformed Content-Length');
    return Number(length);
  }
  if (headerOf(answer, 'transfer-encoding')?.toLowerCase() === 'chunked') return undefined;
  throw upstreamBroken('content without its length');
}

/** The digest is over the bytes as they are, and we asked for nothing else: an encoded answer is refused. */
export function refuseEncoding(answer: { readonly headers: AnswerHeaders }): void {
  const encoding = headerOf(answer, 'content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw upstreamBroken('content in an encoding that was not asked for');
  }
}

/**
 * Reads a body of at most `bytesMax` bytes, and never more than one chunk beyond.
 * @throws {UpstreamUnavailable} longer, cut, or encoded.
 */
export async function readWhole(answer: OpenAnswer, bytesMax: number): Promise<WholeAnswer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    refuseEncoding(answer);
    for await (const chunk of answer.body) {
      length += chunk.length;
      if (length > bytesMax) throw upstreamBroken(`more than ${bytesMax} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw faultOf(error);
  } finally {
    answer.body.destroy();
  }
  return { status: answer.status, headers: answer.headers, bytes: Buffer.concat(chunks) };
}

/**
 * Ends the request for every status that is neither success nor a plain "no" of the registry.
 * A 500 can be provoked by a caller (threats, chapter 0.9), so it concerns this request only.
 */
export function faultFor(answer: { readonly status: number; readonly headers: AnswerHeaders }): Error {
  const { status } = answer;
  if (status === 429 || status === 503) return upstreamBusy(status, headerOf(answer, 'retry-after'));
  if (status >= 500 && status <= 599) return upstreamAway('failed');
  if (status === 403) return upstreamSignInFailed('its credential does not open this repository');
  return upstreamBroken(`an unexpected status ${status}`);
}

/** The codes that a registry's "no" may have for us; any other says nothing more than its status. */
const CODES: ReadonlyMap<unknown, OciCode> = new Map(
  (
    [
      'BLOB_UNKNOWN',
      'BLOB_UPLOAD_INVALID',
      'BLOB_UPLOAD_UNKNOWN',
      'DENIED',
      'DIGEST_INVALID',
      'MANIFEST_BLOB_UNKNOWN',
      'MANIFEST_INVALID',
      'MANIFEST_UNKNOWN',
      'NAME_INVALID',
      'NAME_UNKNOWN',
      'SIZE_INVALID',
      'UNSUPPORTED',
    ] as const
  ).map((code) => [code, code]),
);

/**
 * What an error body says first, as far as we know its code. Its message is not passed on: it may name hosts.
 */
export function errorOf(answer: WholeAnswer): { readonly code?: OciCode; readonly detail?: JsonValue } {
  const json = parseStrictJson(answer.bytes);
  const errors = json.ok ? memberOf(json.value, 'errors') : undefined;
  const first = Array.isArray(errors) ? errors[0] : undefined;
  const code = CODES.get(memberOf(first, 'code'));
  const detail = memberOf(first, 'detail');
  return code === undefined ? {} : { code, ...(detail === undefined ? {} : { detail }) };
}

/** A member of a JSON object; `undefined` where there is no such member or no object. */
export function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as { readonly [key: string]: JsonValue })[name] : undefined;
}
