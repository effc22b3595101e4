import { request as httpsRequest } from 'node:https';
import type { Express } from 'express';
import supertest from 'supertest';

export interface Shown {
  readonly status: number;
  readonly text: string;
  readonly location: string | undefined;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** As they were sent. */
  readonly cookies: readonly string[];
}

/** Follows no redirect by itself; keeps cookies of the app as a browser does. */
export function createBrowser(app: Express) {
  const jar = new Map<string, string>();

  function keep(cookies: readonly string[]): void {
    for (const cookie of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (/Max-Age=0/.test(cookie)) jar.delete(name);
      else jar.set(name, value);
    }
  }

  async function visit(
    method: 'get' | 'post',
    path: string,
    fields?: Record<string, string>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Shown> {
    const call = supertest(app)[method](path).redirects(0);
    if (jar.size > 0) call.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '));
    call.set({ host: 'reg.example:8443', ...headers });
    const answer = await (fields ? call.type('form').send(fields) : call);
    const cookies = [answer.headers['set-cookie'] ?? []].flat();
    keep(cookies);
    const { status, text } = answer;
    return { status, text, location: answer.headers.location, headers: answer.headers, cookies };
  }

  return {
    jar,
    get: (path: string, headers?: Readonly<Record<string, string>>) => visit('get', path, undefined, headers),
    /** A form with the token of the page before, unless another is given. */
    post: (path: string, fields: Record<string, string>, headers?: Readonly<Record<string, string>>) =>
      visit('post', path, { form: jar.get('__Host-dockgate-form') ?? '', ...fields }, headers),
  };
}

/**
 * Goes through a provider's own pages, redirect by redirect, with its cookies.
 * @returns the first address that is not the provider's.
 */
export async function passProvider(
  start: string,
  { url, ca }: { readonly url: string; readonly ca: string },
): Promise<URL> {
  const jar = new Map<string, string>();
  let address = new URL(start);
  for (let hop = 0; hop < 10 && address.origin === url; hop += 1) {
    const { location, cookies } = await step(address, ca, jar);
    for (const cookie of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      jar.set(name, value);
    }
    address = new URL(location, address);
  }
  return address;
}

function step(
  address: URL,
  ca: string,
  jar: ReadonlyMap<string, string>,
): Promise<{ readonly location: string; readonly cookies: readonly string[] }> {
  return new Promise((resolve, reject) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const request = httpsRequest(address, { ca, headers: { cookie } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () => {
        const { location, 'set-cookie': cookies = [] } = response.headers;
        if (location !== undefined) resolve({ location, cookies });
        else reject(new Error(`${response.statusCode} at ${address}: ${Buffer.concat(chunks)}`));
      });
    });
    request.once('error', reject);
    request.end();
  });
}
