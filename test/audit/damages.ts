import { createHash } from 'node:crypto';

/** What can be done to any file's bytes; none knows what the file is for. */
export interface FileDamage {
  readonly what: string;
  /** `undefined`: the file is removed. */
  readonly change: (bytes: Buffer, others: OtherFiles) => Buffer | undefined;
}

/** Files that somebody could put in the place of one. */
export interface OtherFiles {
  /** The same file of an earlier day; `undefined` where there was none. */
  readonly older: Buffer | undefined;
  /** The same file of another server's log. */
  readonly foreign: Buffer | undefined;
  /** Another file of the same log that is used alike. */
  readonly neighbour: Buffer | undefined;
}

export const FILE_DAMAGES: readonly FileDamage[] = [
  ...['first', 'middle', 'last'].flatMap((place): FileDamage[] => [
    {
      what: `a bit of its ${place} byte flipped`,
      change: (bytes) => withByte(bytes, place, (byte) => byte ^ 1),
    },
    {
      what: `the highest bit of its ${place} byte flipped`,
      change: (bytes) => withByte(bytes, place, (byte) => byte ^ 0x80),
    },
    { what: `its ${place} byte set to zero`, change: (bytes) => withByte(bytes, place, () => 0) },
    {
      what: `its ${place} byte removed`,
      change: (bytes) => splice(bytes, placeOf(bytes, place), 1, Buffer.alloc(0)),
    },
    {
      what: `a byte inserted before its ${place} one`,
      change: (bytes) => splice(bytes, placeOf(bytes, place), 0, Buffer.from('x')),
    },
  ]),
  { what: '32 bytes in its middle set to zero', change: (bytes) => zeroed(bytes, bytes.length >> 1, 32) },
  { what: 'all its bytes set to zero', change: (bytes) => Buffer.alloc(bytes.length) },
  { what: 'other bytes of the same length in its place', change: (bytes) => noise(bytes.length) },
  { what: 'its bytes in reverse', change: (bytes) => Buffer.from(bytes).reverse() },
  {
    what: 'its halves swapped',
    change: (bytes) =>
      Buffer.concat([bytes.subarray(bytes.length >> 1), bytes.subarray(0, bytes.length >> 1)]),
  },
  { what: 'its content twice', change: (bytes) => Buffer.concat([bytes, bytes]) },
  { what: 'its second half cut off', change: (bytes) => bytes.subarray(0, bytes.length >> 1) },
  { what: 'its last 32 bytes cut off', change: (bytes) => bytes.subarray(0, -32) },
  { what: 'its first 32 bytes cut off', change: (bytes) => bytes.subarray(32) },
  { what: 'cut to its first byte', change: (bytes) => bytes.subarray(0, 1) },
  { what: 'its first 32 bytes twice', change: (bytes) => Buffer.concat([bytes.subarray(0, 32), bytes]) },
  {
    what: 'its first 32 bytes moved to the end',
    change: (bytes) => Buffer.concat([bytes.subarray(32), bytes.subarray(0, 32)]),
  },
  { what: 'its bits inverted', change: (bytes) => Buffer.from(bytes.map((byte) => byte ^ 0xff)) },
  { what: 'its small letters as capitals', change: (bytes) => Buffer.from(bytes.map(toCapital)) },
  { what: 'a blank line before it', change: (bytes) => Buffer.concat([Buffer.from('\n'), bytes]) },
  { what: 'emptied', change: () => Buffer.alloc(0) },
  { what: 'removed', change: () => undefined },
  { what: 'a newline appended', change: (bytes) => Buffer.concat([bytes, Buffer.from('\n')]) },
  { what: 'a NUL appended', change: (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]) },
  { what: '32 bytes appended', change: (bytes) => Buffer.concat([bytes, noise(32)]) },
  { what: 'a byte order mark before it', change: (bytes) => Buffer.concat([Buffer.from('\ufeff'), bytes]) },
  { what: 'a page of text in its place', change: () => Buffer.from('<html>not found</html>\n') },
  { what: 'its newlines as DOS writes them', change: (bytes) => replaced(bytes, '\n', '\r\n') },
  { what: 'the file of an earlier day in its place', change: (_, { older }) => older },
  { what: "another server's file in its place", change: (_, { foreign }) => foreign },
  { what: 'another file of the log in its place', change: (_, { neighbour }) => neighbour },
];

function toCapital(byte: number): number {
  return byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
}

function placeOf(bytes: Buffer, place: string): number {
  if (place === 'first') return 0;
  return place === 'middle' ? bytes.length >> 1 : bytes.length - 1;
}

function withByte(bytes: Buffer, place: string, change: (byte: number) => number): Buffer {
  const changed = Buffer.from(bytes);
  const at = placeOf(bytes, place);
  changed[at] = change(changed[at] ?? 0);
  return changed;
}

function splice(bytes: Buffer, at: number, count: number, put: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + count)]);
}

function zeroed(bytes: Buffer, at: number, count: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.fill(0, at, Math.min(bytes.length, at + count));
  return changed;
}

/** Bytes that look random and are the same in every run. */
function noise(length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, at) =>
    createHash('sha256').update(`noise ${at}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

function replaced(bytes: Buffer, from: string, to: string): Buffer {
  return Buffer.from(bytes.toString('latin1').replaceAll(from, to), 'latin1');
}
