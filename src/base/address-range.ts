import { BlockList, isIP, SocketAddress } from 'node:net';

/** `10.0.0.0/8`, `fd00::/8`, or one address. */
export interface AddressRange {
  readonly address: string;
  /** Leading bits that count: at most 32 of an IPv4 address, 128 of an IPv6 one. */
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** @returns `undefined` for what is no address and no range; bits behind the prefix do not matter. */
export function parseAddressRange(text: string): AddressRange | undefined {
  const match = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text);
  const address = match?.[1] ?? '';
  const version = isIP(address);
  if (version === 0) return undefined;
  const bitsMax = version === 4 ? 32 : 128;
  const bits = match?.[2] === undefined ? bitsMax : Number(match[2]);
  if (bits > bitsMax) return undefined;
  return { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** Whether an address lies in one of the ranges; what is no address lies in none. */
export function createAddressRanges(ranges: readonly AddressRange[]): (address: string) => boolean {
  const list = new BlockList();
  for (const { address, bits, family } of ranges) list.addSubnet(address, bits, family);
  return (address) => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
}

/** A socket's address as the record writes it: an IPv4 one in its own notation, also where it is wrapped into IPv6. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=[0-9.]+$)/i, '');
}

/**
 * An address that somebody else wrote, in the one notation that sockets use: one client is one address however it
 * is told.
 *
 * @returns `undefined` for what is no address, or one that holds on one line only (`fe80::1%eth0`).
 */
export function canonicalAddress(text: string): string | undefined {
  const version = text.includes('%') ? 0 : isIP(text);
  if (version === 0) return undefined;
  return version === 4 ? text : plainAddress(new SocketAddress({ address: text, family: 'ipv6' }).address);
}
