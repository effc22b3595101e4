import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { MiB } from '../base/index.ts';
import { FeedProblem } from './read-feed.ts';

/** Of the file or the answer, and of what is packed in it; today's are 2 MiB and 11 MiB. */
const BYTES_MAX = 32 * MiB;
const PLAIN_BYTES_MAX = 128 * MiB;

/** What the answer before said of itself. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

/** Port: one GET, whose redirects are followed and whose answer is bounded. Implemented by `app/`. */
export type FeedFetch = (
  url: string,
  asked: { readonly headers: Readonly<Record<string, string>>; readonly bytesMax: number },
) => Promise<{
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}>;

export type Sourced = { readonly isSame: true } | ({ readonly bytes: Uint8Array } & Validators);

/**
 * What a file or address holds now, unpacked where it is packed by gzip.
 *
 * @throws {FeedProblem} it is too large, or the answer is neither the document nor "not modified".
 * @throws {Error} it cannot be read or reached.
 */
export async function readSource(
  source: string,
  known: Validators,
  { fetch }: { readonly fetch: FeedFetch },
): Promise<Sourced> {
  if (!isAddress(source)) return { bytes: await unpack(await readFile(source)) };
  const { status, headers, body } = await fetch(source, {
    headers: {
      ...(known.etag === undefined ? {} : { 'if-none-match': known.etag }),
      ...(known.lastModified === undefined ? {} : { 'if-modified-since': known.lastModified }),
    },
    bytesMax: BYTES_MAX,
  });
  const isKnown = known.etag !== undefined || known.lastModified !== undefined;
  if (status === 304 && isKnown) return { isSame: true };
  if (status !== 200) throw new FeedProblem(`answered ${status}`);
  return {
    bytes: await unpack(body),
    ...validator('etag', headers.etag),
    ...validator('lastModified', headers['last-modified']),
  };
}

export function isAddress(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

async function readFile(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > BYTES_MAX) throw tooLarge();
    // A file that grows meanwhile is read no further.
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function unpack(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.length > BYTES_MAX) throw tooLarge();
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: PLAIN_BYTES_MAX });
  } catch (error) {
    const isTooLarge = error instanceof RangeError;
    throw isTooLarge ? tooLarge() : new FeedProblem('cannot be unpacked: it is damaged or was cut');
  }
}

function tooLarge(): FeedProblem {
  return new FeedProblem(
    `is larger than ${BYTES_MAX / MiB} MiB, or than ${PLAIN_BYTES_MAX / MiB} MiB unpacked`,
  );
}

function validator<Key extends string>(key: Key, value: string | string[] | undefined) {
  const isUsable = typeof value === 'string' && value.length <= 200;
  return (isUsable ? { [key]: value } : {}) as { readonly [name in Key]?: string };
}
