import { isIP, isIPv4 } from 'node:net';

const HOST_NAME =
  /^(?=.{1,253}$)(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
/** Listening there means "on every address"; nobody connects to it by that name. */
const WILDCARDS: readonly string[] = ['0.0.0.0', '::'];

export interface CertificateNamesOptions {
  /** `https://reg.corp:8443`; its host is what clients call us. */
  readonly publicUrl: string;
  /** Each `--name`. */
  readonly names: readonly string[];
  /** Addresses listened on. */
  readonly listen: readonly string[];
  /** The machine's own name. */
  readonly hostName: string;
}

/**
 * The names that go into the server's certificate, each once: localhost first, so that a first try always works.
 * What cannot be a host name (a machine may be called anything) is left out.
 */
export function certificateNames(options: CertificateNamesOptions): readonly string[] {
  const all = [
    'localhost',
    '127.0.0.1',
    '::1',
    new URL(options.publicUrl).hostname,
    ...options.names,
    ...options.listen,
    options.hostName,
  ];
  const known = all.map(readName).filter((name) => name !== undefined);
  return [...new Set(known)].filter((name) => !WILDCARDS.includes(name));
}

/** @returns the name in lower case, an address in its shortest form; `undefined` when it is neither. */
function readName(text: string): string | undefined {
  const name = text
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
  if (isIP(name) === 6 && !name.includes('%')) return new URL(`http://[${name}]`).hostname.slice(1, -1);
  if (isIPv4(name)) return name;
  return isIP(name) === 0 && HOST_NAME.test(name) ? name : undefined;
}

/** An address as 4 or 16 bytes. @see RFC 5280, 4.2.1.6 (iPAddress) */
export function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split('.'), Number);
  // The URL parser knows every way to write an address, and prints hexadecimal groups only.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const before = groups(head);
  const after = groups(tail ?? '');
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  return Uint8Array.from([...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]));
}

function groups(text: string): readonly number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}
