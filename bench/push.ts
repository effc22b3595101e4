import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MiB } from '../src/base/index.ts';
import type { BuiltBlob, BuiltImage } from '../test/support/image.ts';
import { ACCEPT } from './client.ts';

export interface Target {
  /** `https://localhost:PORT` */
  readonly origin: string;
  /** PEM of the authority that the server's certificate comes from. */
  readonly ca: string;
}

export interface Pushed {
  readonly repository: string;
  readonly tag: string;
  readonly image: BuiltImage;
  /** Blobs on their way at once. Default: 5, as docker does it. */
  readonly atOnce?: number;
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly text: string;
}

/** Pushes an image as clients do, by POST and PUT. @throws {Error} the registry did not take it. */
export async function pushImage(target: Target, token: string, pushed: Pushed): Promise<void> {
  const { repository, tag, image } = pushed;
  const waiting = [image.config, ...image.layers];
  const one = async (): Promise<void> => {
    for (let blob = waiting.shift(); blob; blob = waiting.shift())
      await pushBlob(target, token, repository, blob);
  };
  await Promise.all(Array.from({ length: pushed.atOnce ?? 5 }, one));
  const headers = { authorization: `Bearer ${token}`, 'content-type': image.mediaType };
  const path = `/v2/${repository}/manifests/${tag}`;
  const put = await send(target, path, { method: 'PUT', headers }, image.manifest);
  if (put.status !== 201) throw refused('a manifest', put);
}

async function pushBlob(target: Target, token: string, repository: string, blob: BuiltBlob): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  const begun = await send(target, `/v2/${repository}/blobs/uploads/`, { method: 'POST', headers });
  if (begun.status !== 202 || begun.location === undefined) throw refused('an upload', begun);
  const place = new URL(begun.location, target.origin);
  place.searchParams.set('digest', blob.digest);
  const typed = { ...headers, 'content-type': 'application/octet-stream' };
  const put = await send(
    target,
    `${place.pathname}${place.search}`,
    { method: 'PUT', headers: typed },
    blob.bytes,
  );
  if (put.status !== 201) throw refused('a blob', put);
}

/** Status of a GET, whose body is thrown away. */
export async function statusOf(
  target: Target,
  path: string,
  token: string,
  accept = ACCEPT,
): Promise<number> {
  const { status } = await send(target, path, { headers: { authorization: `Bearer ${token}`, accept } });
  return status;
}

/** One client with one kept connection. */
export interface KeptClient {
  /** Milliseconds from the question to the last byte. @throws {Error} the answer was another than 200. */
  timed(path: string, token: string): Promise<number>;
  close(): void;
}

export function createKeptClient(target: Target): KeptClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: target.ca });
  return {
    async timed(path, token) {
      const headers = { authorization: `Bearer ${token}`, accept: ACCEPT };
      const startedMs = performance.now();
      const { status, text } = await send(target, path, { headers, agent });
      if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
      return performance.now() - startedMs;
    },
    close: () => agent.destroy(),
  };
}

function refused(what: string, { status, text }: Answer): Error {
  return new Error(`the registry did not take ${what}: ${status} ${text}`);
}

function send(target: Target, path: string, options: RequestOptions, body?: Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const headers = { ...options.headers, ...length };
    const request = httpsRequest(
      new URL(path, target.origin),
      { agent: false, ...options, headers, ca: target.ca },
      (response) => {
        let text = '';
        response.setEncoding('latin1').on('data', (chunk: string) => {
          if (text.length < 1000) text += chunk;
        });
        response.once('error', reject);
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, location: response.headers.location, text }),
        );
      },
    );
    request.once('error', reject);
    if (body === undefined || body.length <= MiB) request.end(body);
    else pipeline(Readable.from(pieces(body)), request).catch(reject);
  });
}

/** A large body in one piece would be encrypted, and held, as a whole. */
function* pieces(body: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < body.length; from += MiB) yield body.subarray(from, from + MiB);
}
