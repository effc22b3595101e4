import { canonicalAddress } from '../base/index.ts';

/**
 * Who stands behind a chain of proxies. Each proxy appends whom it serves, so the list is read from its right end: the
 * first that is no proxy of ours is the client, and everything left of it is only what the client says.
 *
 * @param peer who is at the other end of the connection.
 * @param header `X-Forwarded-For`; read only where the peer is trusted.
 * @returns `peer` itself unless it is trusted and says something.
 * @see threat H-26
 */
export function clientBehind(
  peer: string,
  header: string | undefined,
  isTrusted: (address: string) => boolean,
): string {
  let client = peer;
  const told = (header ?? '').split(',');
  while (isTrusted(client)) {
    const next = addressIn(told.pop() ?? '');
    // What is no address was written by nobody whom we trust to write one: the proxy that let it pass is all we know.
    if (next === undefined) return client;
    client = next;
  }
  return client;
}

/** Some proxies add the port: `192.0.2.7:51234`, `[2001:db8::7]:51234`. */
function addressIn(text: string): string | undefined {
  const trimmed = text.trim();
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(trimmed)?.[1];
  const withPort = /^([\d.]+):\d{1,5}$/.exec(trimmed)?.[1];
  return canonicalAddress(bracketed ?? withPort ?? trimmed);
}
