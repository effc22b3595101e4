import { request } from 'undici';
import type { FeedFetch } from '../feeds/index.ts';
import { createIssuerLine, type IssuerLineOptions } from './issuer-line.ts';

const REDIRECTS_MAX = 5;
/** For the whole of one answer. */
const TIME_MS_MAX = 60_000;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Fetches a feed by https; each redirect (FIRST sends to the file of the day) is checked as the address itself is.
 *
 * @throws {Error} what {@link createIssuerLine} refuses, too many redirects, more bytes than asked for.
 */
export function createFetchFeed(options: IssuerLineOptions): FeedFetch {
  return async (source, { headers, bytesMax }) => {
    const line = createIssuerLine({ ...options, bytesMax });
    const signal = AbortSignal.timeout(TIME_MS_MAX);
    try {
      let url = line.check(source);
      for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
        const answer = await request(url, { dispatcher: line.dispatcher, headers, signal });
        const { statusCode: status, headers: got, body } = answer;
        if (!REDIRECTS.has(status)) return { status, headers: got, body: await body.bytes() };
        await body.dump();
        url = line.check(new URL(String(got.location), url).href);
      }
      throw new Error(`more than ${REDIRECTS_MAX} redirects`);
    } finally {
      await line.dispatcher.destroy();
    }
  };
}
