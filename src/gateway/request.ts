import type { IncomingMessage } from 'node:http';
import type { GatewayOptions } from './parts.ts';

/** Headers that may be given once: Node keeps the first or joins them, and another parser may not. */
const SINGLE = new Set([
  'authorization',
  'content-length',
  'content-range',
  'content-type',
  'expect',
  'host',
  'range',
  'transfer-encoding',
]);

export function repeatedHeader(request: Pick<IncomingMessage, 'rawHeaders'>): string | undefined {
  const seen = new Set<string>();
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = (request.rawHeaders[index] ?? '').toLowerCase();
    if (!SINGLE.has(name)) continue;
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}

/** A Host that is one of our names is echoed, so that a client stays on the name it came by; any other is not. */
export function baseUrlOf(
  request: Pick<IncomingMessage, 'headers'>,
  options: Pick<GatewayOptions, 'hosts' | 'publicUrl'>,
): string {
  const host = request.headers.host?.toLowerCase();
  return host !== undefined && options.hosts.has(host) ? `https://${host}` : options.publicUrl;
}
