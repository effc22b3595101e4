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
}

export interface Poster {
  /** @returns the body of the answer. @throws {Error} no answer, or one that is not 2xx; a redirect is not followed. */
  post(body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string>;
  close(): Promise<void>;
}

export function createPoster({ url, authorization, ca }: PostTarget): Poster {
  const agent = new Agent({
    ...(ca === undefined ? {} : { connect: { ca } }),
    pipelining: 1,
    connections: 1,
  });
  return {
    async post(body, headers, signal) {
      const answer = await request(url, {
        method: 'POST',
        dispatcher: agent,
        signal,
        headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
        body,
      });
      const text = await readUpTo(answer.body, ANSWER_BYTES_MAX);
      if (answer.statusCode >= 200 && answer.statusCode < 300) return text;
      throw new Error(`${new URL(url).host} answered ${answer.statusCode}`);
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
