import { lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/**
 * Addresses to which a redirect never leads unless its origin is configured: this host, the networks around
 * it, cloud metadata services, multicast, and the IPv6 forms that only wrap an IPv4 address.
 * @see IANA special-purpose address registries (RFC 6890 and its updates)
 */
const RESERVED_V4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];
const RESERVED_V6: readonly (readonly [string, number])[] = [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
];

// Two lists: in one, Node would hold the network ::ffff:0:0/96 against every IPv4 address.
const reservedV4 = new BlockList();
const reservedV6 = new BlockList();
for (const [network, prefix] of RESERVED_V4) reservedV4.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of RESERVED_V6) reservedV6.addSubnet(network, prefix, 'ipv6');

/** @param address an IPv4 or IPv6 address as text, without brackets; anything else counts as reserved. */
export function isReservedAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return true;
  return family === 4 ? reservedV4.check(address, 'ipv4') : reservedV6.check(address, 'ipv6');
}

export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

/**
 * A resolver for connections that must stay outside: the addresses it hands over are the ones connected to,
 * so no second answer of the name server can come between check and use. One reserved address among several
 * refuses all.
 */
export function publicLookup(lookup: LookupFunction = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, result) => {
      if (error) return callback(error, '', 0);
      const found = typeof result === 'string' ? [{ address: result, family: isIP(result) }] : result;
      const [first] = found;
      if (!first || found.some(({ address }) => isReservedAddress(address))) {
        return callback(new AddressRefused('a redirect leads to a reserved address'), '', 0);
      }
      if (options.all === true) return callback(null, found);
      callback(null, first.address, first.family);
    });
  };
}
