import type { LookupFunction } from 'node:net';
import { type Clock, type Logger, MINUTE_MS, SECOND_MS, StartError } from '../base/index.ts';

/** All in milliseconds. */
export interface UpstreamTimeouts {
  /** From the start of a connection to its end, TLS included. */
  readonly connectMs: number;
  /** From the request to the answer's last header; for small answers to their last byte. */
  readonly answerMs: number;
  /** As `answerMs`, where the upstream may first have to move a whole blob: the end of an upload. */
  readonly commitMs: number;
  /** Longest silence in the middle of a body, in either direction. */
  readonly idleMs: number;
}

export interface UpstreamOptions {
  /** `http://host[:port]` or `https://host[:port]`: no path, query or credentials. */
  readonly url: string;
  /** PEM certificates trusted for this upstream instead of the system's. */
  readonly ca?: string;
  readonly username?: string;
  readonly password?: string;
  /**
   * Origins, beside the upstream's own, to which a Bearer challenge may send the password:
   * `https://auth.corp`.
   */
  readonly tokenRealms?: readonly string[];
  /** Origins to which a redirect is followed although their address is private: `http://store.corp:9000`. */
  readonly redirectOrigins?: readonly string[];
  readonly timeouts?: Partial<UpstreamTimeouts>;
  /** Connections kept to the upstream, for everything but the bodies of uploads. */
  readonly connectionsMax?: number;
  /** Requests that may wait for such a connection; more are answered 503 at once. */
  readonly waitingMax?: number;
}

export interface UpstreamParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Resolves the host names of redirects; the system's resolver unless a test says otherwise. */
  readonly lookup?: LookupFunction;
}

/** The options after their check, with every default filled in. */
export interface Target {
  readonly url: URL;
  readonly isTls: boolean;
  /** As a socket wants it: an IPv6 address without brackets. */
  readonly hostname: string;
  readonly port: number;
  readonly ca: string | undefined;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  readonly realmOrigins: ReadonlySet<string>;
  readonly redirectOrigins: ReadonlySet<string>;
  readonly timeouts: UpstreamTimeouts;
  readonly connectionsMax: number;
  readonly waitingMax: number;
}

const TIMEOUTS: UpstreamTimeouts = {
  connectMs: 5 * SECOND_MS,
  answerMs: 20 * SECOND_MS,
  commitMs: 5 * MINUTE_MS,
  idleMs: 30 * SECOND_MS,
};

/** @throws {StartError} an option that cannot be meant. */
export function readTarget(options: UpstreamOptions): Target {
  const url = readOrigin(options.url, 'url of an upstream');
  if ((options.username === undefined) !== (options.password === undefined)) {
    throw new StartError('upstream: username and password must be given together');
  }
  if (options.username?.includes(':')) {
    throw new StartError('upstream: username must not hold a colon (RFC 7617)');
  }
  const isTls = url.protocol === 'https:';
  return {
    url,
    isTls,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    ca: options.ca,
    credentials:
      options.username === undefined || options.password === undefined
        ? undefined
        : { username: options.username, password: options.password },
    realmOrigins: originSet(options.tokenRealms, 'tokenRealms of an upstream', url.origin),
    redirectOrigins: originSet(options.redirectOrigins, 'redirectOrigins of an upstream', url.origin),
    timeouts: { ...TIMEOUTS, ...options.timeouts },
    connectionsMax: options.connectionsMax ?? 64,
    waitingMax: options.waitingMax ?? 512,
  };
}

function originSet(texts: readonly string[] | undefined, where: string, own: string): ReadonlySet<string> {
  return new Set([own, ...(texts ?? []).map((text) => readOrigin(text, where).origin)]);
}

function readOrigin(text: string, where: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new StartError(`${where}: must be http://host[:port] or https://host[:port]`);
  }
  if (
    url.username !== '' ||
    url.password !== '' ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    throw new StartError(`${where}: must name no path, query or credentials, only http(s)://host[:port]`);
  }
  return url;
}
