import { request } from 'undici';
import type { FetchDocument } from '../auth/index.ts';
import { createIssuerLine, type IssuerLineOptions } from './issuer-line.ts';

/** Fetches JSON from an issuer of tokens: no redirect, and what {@link createIssuerLine} refuses. */
export function createFetchDocument(options: IssuerLineOptions): FetchDocument {
  const line = createIssuerLine(options);
  return async (text) => {
    const url = line.check(text);
    const { statusCode, body } = await request(url, {
      dispatcher: line.dispatcher,
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(line.timeMsMax),
    });
    if (statusCode !== 200) {
      await body.dump();
      throw new Error(`${url.origin} answered ${statusCode}`);
    }
    return body.json();
  };
}
