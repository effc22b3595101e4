import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { Agent, type Dispatcher } from 'undici';
import { MiB, SECOND_MS } from '../base/index.ts';
import { isReservedAddress, publicLookup } from '../upstream/index.ts';

const BYTES_MAX = MiB;
const TIME_MS_MAX = 5 * SECOND_MS;

export interface IssuerLineOptions {
  /** Certificates (PEM) that are trusted in place of the system's. */
  readonly caFile?: string | undefined;
  readonly allowsPrivate: boolean;
  /** Of an answer; 1 MiB unless told. */
  readonly bytesMax?: number;
}

/** The way to an issuer of tokens. */
export interface IssuerLine {
  /** Bounds answers, connects within 5 seconds. */
  readonly dispatcher: Dispatcher;
  readonly timeMsMax: number;
  /** @throws {Error} not https, or an address inside our networks where none was meant. */
  check(url: string): URL;
}

/**
 * https only, and unless configured no address inside our networks, also when a name resolves to one.
 *
 * @see threats C-11, P-23
 */
export function createIssuerLine({
  caFile,
  allowsPrivate,
  bytesMax = BYTES_MAX,
}: IssuerLineOptions): IssuerLine {
  const ca = caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') };
  const lookup = allowsPrivate ? {} : { lookup: publicLookup() };
  return {
    dispatcher: new Agent({
      connect: { ...ca, ...lookup, timeout: TIME_MS_MAX },
      maxResponseSize: bytesMax,
      pipelining: 0,
    }),
    timeMsMax: TIME_MS_MAX,
    check(text) {
      const url = new URL(text);
      if (url.protocol !== 'https:') throw new Error(`${url.origin} is not https`);
      const host = url.hostname.replace(/^\[|\]$/g, '');
      // An address is never looked up, so the resolver above cannot refuse it.
      if (!allowsPrivate && isIP(host) !== 0 && isReservedAddress(host)) {
        throw new Error(`${url.origin} has a private address; set privateAddresses where that is meant`);
      }
      return url;
    },
  };
}
