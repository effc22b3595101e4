import { isIP } from 'node:net';
import { canonicalAddress } from '../base/index.ts';

/** What the first bytes of a connection from a proxy say. */
export type ProxyHeader =
  /** They may still become a header. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'malformed' }
  /** @param address absent: the proxy speaks for itself (a health check), or for what has no IP address. */
  | { readonly kind: 'header'; readonly bytes: number; readonly address?: string };

/** The specification's own bound on a header of version 1, its line end included. */
const V1_BYTES_MAX = 107;
/** Of version 2: addresses take 36 bytes, the rest is for extensions, which nobody here reads. */
const V2_REST_BYTES_MAX = 2048;
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED_BYTES = 16;
const V1_START = Buffer.from('PROXY ', 'latin1');
const MALFORMED: ProxyHeader = { kind: 'malformed' };
const INCOMPLETE: ProxyHeader = { kind: 'incomplete' };

/**
 * Reads the header that a proxy puts before everything else on a connection, version 1 (a line) or 2 (binary).
 *
 * @see https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt chapters 2.1 and 2.2
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (beginsAs(bytes, V2_SIGNATURE)) return parseV2(bytes);
  return beginsAs(bytes, V1_START) ? parseV1(bytes) : MALFORMED;
}

/** Whether the bytes, as far as they go, are those of `start`. */
function beginsAs(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

function parseV1(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, V1_BYTES_MAX).indexOf('\r\n');
  if (end < 0) return bytes.length < V1_BYTES_MAX ? INCOMPLETE : MALFORMED;
  const length = end + 2;
  const words = bytes.toString('latin1', V1_START.length, end).split(' ');
  const [family, source = '', destination = '', ...ports] = words;
  // What follows it is to be ignored.
  if (family === 'UNKNOWN') return { kind: 'header', bytes: length };
  const version = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : undefined;
  if (isIP(source) !== version || isIP(destination) !== version) return MALFORMED;
  const address = canonicalAddress(source);
  if (address === undefined || ports.length !== 2 || !ports.every(isPort)) return MALFORMED;
  return { kind: 'header', bytes: length, address };
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

function parseV2(bytes: Buffer): ProxyHeader {
  if (bytes.length < V2_FIXED_BYTES) return INCOMPLETE;
  const [command = 0, family = 0] = bytes.subarray(V2_SIGNATURE.length);
  const rest = bytes.readUInt16BE(14);
  if (command >> 4 !== 2 || (command & 0xf) > 1 || rest > V2_REST_BYTES_MAX) return MALFORMED;
  const isLocal = (command & 0xf) === 0;
  const addressBytes = isLocal ? 0 : ADDRESS_BYTES.get(family);
  if (addressBytes === undefined || rest < 2 * addressBytes) return MALFORMED;
  const length = V2_FIXED_BYTES + rest;
  if (bytes.length < length) return INCOMPLETE;
  if (addressBytes === 0) return { kind: 'header', bytes: length };
  const source = bytes.subarray(V2_FIXED_BYTES, V2_FIXED_BYTES + addressBytes);
  const address = canonicalAddress(addressBytes === 4 ? source.join('.') : printIPv6(source));
  return address === undefined ? MALFORMED : { kind: 'header', bytes: length, address };
}

/** Bytes of one address by family and transport: none that is told (UNSPEC, a Unix socket), TCP over IPv4, over IPv6. */
const ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 4],
  [0x21, 16],
  [0x31, 0],
]);

function printIPv6(bytes: Buffer): string {
  return Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(':');
}
