import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { type InspectionLimits, Unscannable } from './limits.ts';

export type Bytes = AsyncIterable<Buffer>;

/** What a stream's first bytes say it is. */
type Format = 'gzip' | 'zstd' | 'tar' | 'unread' | 'other';

/** Compressions that clients undo and we do not: bzip2 and xz. */
const UNREAD = [Buffer.from('BZh'), Buffer.from('fd377a585a00', 'hex')] as const;
const TAR_BLOCK_BYTES = 512;
const CHUNK_BYTES = 256 * 1024;
/** 128 MiB: what `zstd --ultra` needs at most without `--long`; a window is memory that the content chooses. */
const ZSTD_WINDOW_LOG_MAX = 27;

/**
 * Peels compressions off a stream, by its first bytes and not by its media type, until something else shows:
 * `unread` is a compression that clients undo and we do not.
 *
 * @throws {Unscannable} from the stream, when it is broken, cut, followed by other bytes, or over a limit.
 * @see RFC 1952 (gzip), RFC 8878 (zstd; skippable frames begin a stream, too)
 */
export async function unpack(
  stored: Bytes,
  limits: InspectionLimits,
): Promise<{ readonly format: 'tar' | 'unread' | 'other'; readonly bytes: Bytes }> {
  const budget = { storedBytes: 0 };
  let bytes = countStored(stored, limits, budget);
  for (let depth = 0; ; depth += 1) {
    const peeked = await peek(bytes, TAR_BLOCK_BYTES);
    const { format } = peeked;
    if (format !== 'gzip' && format !== 'zstd') return { format, bytes: peeked.bytes };
    if (depth >= limits.nestingMax) {
      throw new Unscannable(`more than ${limits.nestingMax} compressions are wrapped in one another`);
    }
    bytes = countPlain(decompress(peeked.bytes, format), limits, budget);
  }
}

function formatOf(head: Buffer): Format {
  if (head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.length >= 4) {
    const magic = head.readUInt32LE(0);
    if (magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50) return 'zstd';
  }
  if (UNREAD.some((magic) => head.subarray(0, magic.length).equals(magic))) return 'unread';
  return isTarHeader(head) ? 'tar' : 'other';
}

/** By the header's checksum, so that archives from before POSIX, which carry no magic, are seen as well. */
function isTarHeader(head: Buffer): boolean {
  if (head.length < TAR_BLOCK_BYTES) return false;
  if (head.toString('latin1', 257, 262) === 'ustar') return true;
  const stated = Number.parseInt(head.toString('latin1', 148, 156).replace(/[\0 ]+/g, ''), 8);
  let sum = 8 * 0x20;
  for (let at = 0; at < TAR_BLOCK_BYTES; at += 1) if (at < 148 || at >= 156) sum += head[at] ?? 0;
  return stated === sum;
}

async function peek(
  bytes: Bytes,
  count: number,
): Promise<{ readonly format: Format; readonly bytes: Bytes }> {
  const iterator = bytes[Symbol.asyncIterator]();
  const first: Buffer[] = [];
  let length = 0;
  while (length < count) {
    const next = await iterator.next();
    if (next.done) break;
    first.push(next.value);
    length += next.value.length;
  }
  const head = Buffer.concat(first);
  return { format: formatOf(head), bytes: rejoin(head, iterator) };
}

async function* rejoin(head: Buffer, iterator: AsyncIterator<Buffer>): Bytes {
  try {
    if (head.length > 0) yield head;
    for (;;) {
      const next = await iterator.next();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

async function* countStored(bytes: Bytes, limits: InspectionLimits, budget: { storedBytes: number }): Bytes {
  for await (const chunk of bytes) {
    budget.storedBytes += chunk.length;
    if (budget.storedBytes > limits.compressedBytesMax) {
      throw new Unscannable(`larger than ${limits.compressedBytesMax} bytes`);
    }
    yield chunk;
  }
}

async function* countPlain(
  bytes: Bytes,
  limits: InspectionLimits,
  budget: { readonly storedBytes: number },
): Bytes {
  let plainBytes = 0;
  for await (const chunk of bytes) {
    plainBytes += chunk.length;
    if (plainBytes > limits.plainBytesMax) {
      throw new Unscannable(`expands to more than ${limits.plainBytesMax} bytes`);
    }
    if (plainBytes > limits.expansionFreeBytes && plainBytes > limits.expansionMax * budget.storedBytes) {
      throw new Unscannable(`expands to more than ${limits.expansionMax} times its size, as a bomb does`);
    }
    yield chunk;
  }
}

async function* decompress(bytes: Bytes, format: 'gzip' | 'zstd'): Bytes {
  const engine: Transform & { readonly bytesWritten: number } =
    format === 'gzip'
      ? createGunzip({ chunkSize: CHUNK_BYTES })
      : createZstdDecompress({
          chunkSize: CHUNK_BYTES,
          rejectGarbageAfterEnd: true,
          params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
        });
  let fedBytes = 0;
  let sourceFailure: { readonly error: unknown } | undefined;
  const feed = async function* (): Bytes {
    try {
      for await (const chunk of bytes) {
        fedBytes += chunk.length;
        yield chunk;
      }
    } catch (error) {
      sourceFailure = { error };
      throw error;
    }
  };
  const feeding = pipeline(feed, engine).then(
    () => undefined,
    (error: unknown) => error,
  );
  try {
    for await (const chunk of engine) yield chunk;
  } catch (error) {
    throw sourceFailure ? sourceFailure.error : describeFailure(format, error);
  }
  // What follows the last member is read by nobody here, but might be by a client: zlib just stops at a zero byte.
  if ((await feeding) !== undefined || engine.bytesWritten !== fedBytes) {
    throw new Unscannable(`other bytes follow the end of the ${format} stream`);
  }
}

function describeFailure(format: string, error: unknown): Unscannable {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return new Unscannable(`the ${format} stream is broken (${code})`);
}
