import type { Readable } from 'node:stream';
import type { Pourable } from '../content/index.ts';
import { errorBody, type Refusal } from '../oci/index.ts';

/** What goes back to the client: built by the handlers, written by `respond.ts` alone. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes are sent whole; the others with back-pressure, and they must give exactly Content-Length bytes. */
  readonly body?: Uint8Array | Readable | Pourable;
}

export function refusalAnswer(refusal: Refusal): Answer {
  const body = Buffer.from(errorBody(refusal));
  return {
    status: refusal.status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(body.length),
      'cache-control': 'no-store',
      ...refusal.headers,
    },
    body,
  };
}

export function jsonAnswer(value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = Buffer.from(JSON.stringify(value));
  return {
    status: 200,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(body.length),
      'cache-control': 'no-store',
      ...headers,
    },
    body,
  };
}
