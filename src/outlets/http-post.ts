import type { LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import { MiB } from '../base/index.ts';

/** What is read of an answer: only what says which records were refused. */
const ANSWER_BYTES_MAX = 16 * MiB;

export interface PostTarget {
  readonly url: string;
  /** The whole Authorization header. */
  readonly authorization?: string;
  /** PEM of the CA to trust in place of the system's. */
  readonly ca?: string;
  /** In place of the system's resolver: one that refuses what must not be reached. */
  readonly lookup?: LookupFunction;
}

/** A receiver answered, and not with 2xx. */
export class NotTaken extends Error {
  override readonly name = 'NotTaken';
  readonly status: number;
  readonly body: string;

  constructor(host: string, status: number, body: string) {
    super(`${host} answered ${status}`);
    this.status = status;
    this.body = body;
  }
}

export interface Poster {
  /**
   * @param way another method, or another URL of the same receiver.
   * @returns the body of the answer.
   * @throws {NotTaken} one that is not 2xx; a redirect is not followed. @throws {Error} no answer.
   */
  post(
    body: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
    way?: { readonly method?: 'POST' | 'PUT'; readonly url?: string },
  ): Promise<string>;
  close(): Promise<void>;
}

export function createPoster({ url, authorization, ca, lookup }: PostTarget): Poster {
  const agent = new Agent({
    connect: { ...(ca === undefined ? {} : { ca }), ...(lookup === undefined ? {} : { lookup }) },
    pipelining: 1,
    connections: 1,
  });
  return {
    async post(body, headers, signal, way = {}) {
      const answer = await request(way.url ?? url, {
        method: way.method ?? 'POST',
        dispatcher: agent,
        signal,
        headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
        body,
      });
      const text = await readUpTo(answer.body, ANSWER_BYTES_MAX);
      if (answer.statusCode >= 200 && answer.statusCode < 300) return text;
      throw new NotTaken(new URL(url).host, answer.statusCode, text);
    },
    close: () => agent.destroy(),
  };
}

async function readUpTo(body: AsyncIterable<Uint8Array>, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
