import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** One exchange with the API. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Where the API is and how to prove who asks. */
export type Target =
  | { readonly kind: 'socket'; readonly path: string }
  | {
      readonly kind: 'server';
      readonly url: string;
      readonly authorization: string;
      /** PEM of the CA to trust beside the system's. */
      readonly ca?: string;
    };

const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** Longest silence before a call is given up. */
const SILENCE_MS = 60_000;

/** What a call carries, and how long its answer may take. */
export interface Call {
  readonly body?: unknown;
  /** Longest silence; {@link SILENCE_MS} unless the call is known to work for longer. */
  readonly silenceMs?: number;
}

/**
 * Sends one call of the API.
 *
 * @param path below `/api/v1`, with its query.
 * @throws {Error} nothing answered, or something that is not the API.
 */
export function send(
  target: Target,
  method: string,
  path: string,
  { body, silenceMs = SILENCE_MS }: Call = {},
): Promise<ApiAnswer> {
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers: Record<string, string> = { accept: 'application/json' };
  if (payload) {
    headers['content-type'] = 'application/json';
    headers['content-length'] = String(payload.length);
  }
  if (target.kind === 'server') headers.authorization = target.authorization;
  return exchange(target, {
    method,
    path: `/api/v1${path}`,
    headers,
    silenceMs,
    ...(payload ? { payload } : {}),
  });
}

/** Sends a form to the token endpoint. */
export function sendForm(
  target: Target,
  path: string,
  fields: Readonly<Record<string, string>>,
): Promise<ApiAnswer> {
  const payload = Buffer.from(new URLSearchParams(fields).toString());
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': String(payload.length),
  };
  return exchange(target, { method: 'POST', path, headers, silenceMs: SILENCE_MS, payload });
}

interface Outgoing {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly silenceMs: number;
  readonly payload?: Buffer;
}

function exchange(target: Target, outgoing: Outgoing): Promise<ApiAnswer> {
  const { method, path, headers, silenceMs } = outgoing;
  return new Promise((resolve, reject) => {
    const common = { method, headers, timeout: silenceMs };
    const request =
      target.kind === 'socket'
        ? httpRequest({ ...common, socketPath: target.path, path })
        : httpsRequest(new URL(path, target.url), {
            ...common,
            // Whatever the environment says: what follows is a password.
            rejectUnauthorized: true,
            ...(target.ca ? { ca: target.ca } : {}),
          });
    request.once('timeout', () => request.destroy(new Error(`no answer within ${silenceMs / 1000} s`)));
    request.once('error', reject);
    request.once('response', (response) => {
      readAll(response).then(
        (text) => resolve({ status: response.statusCode ?? 0, body: parse(text) }),
        reject,
      );
    });
    request.end(outgoing.payload);
  });
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('what answered is not dockgate: its answer is not JSON');
  }
}
