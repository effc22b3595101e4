import { Agent, request } from 'undici';
import { Fault } from '../../oci/index.ts';

export interface AdapterOptions {
  /** Up to and with `/api/v1`; without a slash at the end. */
  readonly url: string;
  /** The whole Authorization header. */
  readonly authorization?: string | undefined;
  /** PEM of the authorities to trust in place of the system's. */
  readonly ca?: string | undefined;
}

export interface AdapterAnswer {
  readonly status: number;
  readonly type: string;
  readonly refreshAfter: string | undefined;
  readonly body: string;
}

export interface AdapterHttp {
  /** @throws {Fault} no answer, or one that is too long. A redirect is an answer, and not followed. */
  call(
    method: 'GET' | 'POST',
    path: string,
    sent: {
      readonly accept: string;
      readonly type?: string;
      readonly body?: string;
      readonly bytesMax: number;
      readonly signal: AbortSignal;
    },
  ): Promise<AdapterAnswer>;
  close(): Promise<void>;
}

/** For one answer, which an adapter gives at once: Harbor itself waits no longer than 5 s. */
const ANSWER_MS_MAX = 30_000;

export function createAdapterHttp({ url, authorization, ca }: AdapterOptions): AdapterHttp {
  const agent = new Agent({ ...(ca === undefined ? {} : { connect: { ca } }), pipelining: 0 });
  return {
    async call(method, path, { accept, type, body, bytesMax, signal }) {
      try {
        const answer = await request(`${url}${path}`, {
          ...{
            method,
            dispatcher: agent,
            signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]),
          },
          ...(body === undefined ? {} : { body }),
          headers: {
            accept,
            ...(type === undefined ? {} : { 'content-type': type }),
            ...(authorization === undefined ? {} : { authorization }),
          },
        });
        return {
          status: answer.statusCode,
          type: String(answer.headers['content-type'] ?? ''),
          refreshAfter: answer.headers['refresh-after']?.toString(),
          body: await readUpTo(answer.body, bytesMax),
        };
      } catch (error) {
        throw new Fault(
          'DG_SCANNER_UNAVAILABLE',
          'UNAVAILABLE',
          `the scanner at ${url} did not answer`,
          error,
        );
      }
    },
    close: () => agent.destroy(),
  };
}

async function readUpTo(body: AsyncIterable<Uint8Array>, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error(`an answer of more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
