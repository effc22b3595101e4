import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { BuiltImage } from '../test/support/image.ts';

export interface Target {
  /** `https://localhost:PORT` */
  readonly origin: string;
  /** PEM of the authority that the server's certificate comes from. */
  readonly ca: string;
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly text: string;
}

/** Pushes an image as clients do, by POST and PUT. @throws {Error} the registry did not take it. */
export async function pushImage(
  target: Target,
  token: string,
  pushed: { readonly repository: string; readonly tag: string; readonly image: BuiltImage },
): Promise<void> {
  const { repository, tag, image } = pushed;
  const headers = { authorization: `Bearer ${token}` };
  for (const { bytes, digest } of [image.config, ...image.layers]) {
    const begun = await send(target, `/v2/${repository}/blobs/uploads/`, { method: 'POST', headers });
    if (begun.status !== 202 || begun.location === undefined) throw refused('an upload', begun);
    const place = new URL(begun.location, target.origin);
    place.searchParams.set('digest', digest);
    const typed = { ...headers, 'content-type': 'application/octet-stream' };
    const put = await send(
      target,
      `${place.pathname}${place.search}`,
      { method: 'PUT', headers: typed },
      bytes,
    );
    if (put.status !== 201) throw refused('a blob', put);
  }
  const put = await send(
    target,
    `/v2/${repository}/manifests/${tag}`,
    { method: 'PUT', headers: { ...headers, 'content-type': image.mediaType } },
    image.manifest,
  );
  if (put.status !== 201) throw refused('a manifest', put);
}

/** Status of a GET, whose body is thrown away. */
export async function statusOf(
  target: Target,
  path: string,
  token: string,
  mediaType: string,
): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, accept: mediaType };
  const { status } = await send(target, path, { headers });
  return status;
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
      { ...options, headers, ca: target.ca, agent: false },
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
    request.end(body);
  });
}
