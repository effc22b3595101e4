import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { Agent, request } from 'undici';
import type { FetchDocument } from '../auth/index.ts';
import { MiB, SECOND_MS } from '../base/index.ts';
import { isReservedAddress, publicLookup } from '../upstream/index.ts';

const BYTES_MAX = MiB;
const TIME_MS_MAX = 5 * SECOND_MS;

/**
 * Fetches JSON from an issuer of tokens: https only, no redirect, at most 1 MiB in 5 seconds, and unless configured
 * no address inside our networks, also when a name resolves to one.
 *
 * @see threats C-11, P-23
 */
export function createFetchDocument(options: {
  readonly caFile?: string | undefined;
  readonly allowsPrivate: boolean;
}): FetchDocument {
  const ca = options.caFile === undefined ? {} : { ca: readFileSync(options.caFile, 'utf8') };
  const lookup = options.allowsPrivate ? {} : { lookup: publicLookup() };
  const dispatcher = new Agent({
    connect: { ...ca, ...lookup, timeout: TIME_MS_MAX },
    maxResponseSize: BYTES_MAX,
    pipelining: 0,
  });
  return async (text) => {
    const url = new URL(text);
    if (url.protocol !== 'https:') throw new Error(`${url.origin} is not https`);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    // An address is never looked up, so the resolver above cannot refuse it.
    if (!options.allowsPrivate && isIP(host) !== 0 && isReservedAddress(host)) {
      throw new Error(`${url.origin} has a private address; set privateAddresses where that is meant`);
    }
    const { statusCode, body } = await request(url, {
      dispatcher,
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(TIME_MS_MAX),
    });
    if (statusCode !== 200) {
      await body.dump();
      throw new Error(`${url.origin} answered ${statusCode}`);
    }
    return body.json();
  };
}
