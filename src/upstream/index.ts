/**
 * Speaks to the registry behind us: streams uploads through a fenced http-proxy, asks everything else itself,
 * and believes no answer it has not checked. Implements the port `Source` of content/. Entered by app/.
 */

export { isReservedAddress, publicLookup } from './addresses.ts';
export type { UpstreamOptions, UpstreamParts } from './options.ts';
export { createUpstream } from './upstream.ts';
