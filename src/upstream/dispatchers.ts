import { rootCertificates } from 'node:tls';
import { Agent, buildConnector, type Dispatcher, Pool } from 'undici';
import { isReservedAddress, publicLookup } from './addresses.ts';
import { upstreamBroken, upstreamCrowded } from './faults.ts';
import type { Target, UpstreamParts } from './options.ts';

/** The connections of one upstream: to itself, to origins that are configured, to all others. */
export interface Dispatchers {
  /** @throws {UpstreamUnavailable} too many wait already, or the address is not to be reached. */
  for(url: URL): Dispatcher;
  close(): Promise<void>;
}

const HEADER_BYTES_MAX = 16 * 1024;

export function createDispatchers(target: Target, parts: UpstreamParts): Dispatchers {
  const common = { maxHeaderSize: HEADER_BYTES_MAX, bodyTimeout: target.timeouts.idleMs, pipelining: 1 };
  // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED in the environment changes nothing.
  const connection = { timeout: target.timeouts.connectMs, rejectUnauthorized: true, allowH2: false };
  const listedCa = target.ca === undefined ? {} : { ca: [target.ca, ...rootCertificates] };
  const own = new Pool(target.url.origin, {
    ...common,
    connections: target.connectionsMax,
    connect: { ...connection, ...target.clientTls, ...(target.ca === undefined ? {} : { ca: target.ca }) },
  });
  const listed = new Agent({ ...common, connect: { ...connection, ...listedCa } });
  const foreign = new Agent({
    ...common,
    connect: buildConnector({ ...connection, lookup: publicLookup(parts.lookup) }),
  });
  return {
    for(url) {
      if (url.origin === target.url.origin) {
        if (own.stats.queued >= target.waitingMax) throw upstreamCrowded();
        return own;
      }
      if (target.configuredOrigins.has(url.origin)) return listed;
      refuseForeign(url, target);
      return foreign;
    },
    async close() {
      await Promise.all([own.destroy(), listed.destroy(), foreign.destroy()]);
    },
  };
}

/**
 * The address in a URL is looked at here; that of a host name by the resolver when the connection is made.
 */
function refuseForeign(url: URL, target: Target): void {
  if (target.isTls && url.protocol !== 'https:') throw upstreamBroken('a redirect from https to http');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isAddress = /^[\d.]+$/.test(host) || host.includes(':');
  if (isAddress && isReservedAddress(host)) throw upstreamBroken('a redirect to a reserved address');
}
