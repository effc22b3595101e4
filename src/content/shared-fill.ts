import { createHash } from 'node:crypto';
import { type FileHandle, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Random } from '../base/index.ts';
import { algorithmOf, type ByteRange, type Digest } from '../oci/index.ts';
import { digestFrom } from './digests.ts';
import { ContentMismatch, ContentUnavailable } from './faults.ts';
import { openTemporary, type Places, publish } from './files.ts';

const READ_BYTES = 1024 * 1024;

/** Content on its way into the store, to be read by any number of callers while it grows. */
export interface Fill {
  readonly size: number;
  /** Breaks with an error, never ends early, when the fill fails or turns out to be something else. */
  stream(range?: ByteRange): Readable;
  /** Resolves when the content is published; rejects when it is not. */
  readonly done: Promise<void>;
}

interface Source {
  readonly digest: Digest;
  /** Bytes, as the descriptor says. */
  readonly size: number;
  readonly start: () => Promise<Readable>;
}

/**
 * Begins a fill. It goes on when all who asked for it have gone: the next will ask again.
 *
 * The last byte is held back until the digest is known to be right, so that a reader of other bytes than the digest
 * names always sees a broken transfer (threats V-21, P-09).
 */
export async function startFill(source: Source, places: Places, random: Random): Promise<Fill> {
  const { path, file } = await openTemporary(places, random).catch((cause: unknown) => {
    throw new ContentUnavailable(cause);
  });
  const growth = createGrowth();
  const done = receive(source, file, growth)
    .then(async () => {
      await file.sync();
      await publish(places, path, source.digest);
      growth.finish(source.size);
    })
    .catch(async (error: unknown) => {
      const fault =
        error instanceof Error && 'code' in error && isDiskError(error)
          ? new ContentUnavailable(error)
          : error;
      growth.fail(fault instanceof Error ? fault : new Error(String(fault)));
      await rm(path, { force: true });
      throw fault;
    });
  // Readers hear of a failure through their streams; nobody else needs to wait for it.
  done.catch(() => {});
  const readers = countReaders(file, done);
  return {
    size: source.size,
    done,
    stream: (range) => readers.open(readGrowing(file, growth, source.size, range)),
  };
}

function isDiskError(error: Error & { readonly code?: unknown }): boolean {
  return ['ENOSPC', 'EIO', 'EROFS', 'EDQUOT', 'EMFILE', 'ENFILE'].includes(String(error.code));
}

async function receive(source: Source, file: FileHandle, growth: Growth): Promise<void> {
  const hash = createHash(algorithmOf(source.digest));
  let bytes = 0;
  for await (const chunk of await source.start()) {
    bytes += chunk.length;
    if (bytes > source.size) throw new ContentMismatch('the registry sent more than the manifest says');
    hash.update(chunk);
    await file.write(chunk);
    // All but the last byte may be read already.
    growth.advance(Math.min(bytes, source.size - 1));
  }
  if (bytes !== source.size) throw new ContentMismatch('the registry sent less than the manifest says');
  if (digestFrom(hash, algorithmOf(source.digest)) !== source.digest) {
    throw new ContentMismatch('the registry sent something else than the digest says');
  }
}

/** How far a fill has come, and who waits for more. */
interface Growth {
  advance(bytes: number): void;
  finish(bytes: number): void;
  fail(error: Error): void;
  /** @returns the bytes that may be read, as soon as they are more than `bytes`. */
  beyond(bytes: number): Promise<number>;
}

function createGrowth(): Growth {
  let readable = 0;
  let failure: Error | undefined;
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const go of waiting) go();
    waiting.clear();
  };
  const advance = (bytes: number): void => {
    readable = bytes;
    wake();
  };
  return {
    advance,
    finish: advance,
    fail(error) {
      failure = error;
      wake();
    },
    async beyond(bytes) {
      while (readable <= bytes) {
        if (failure) throw failure;
        await new Promise<void>((resolve) => waiting.add(resolve));
      }
      return readable;
    },
  };
}

async function* readGrowing(
  file: FileHandle,
  growth: Growth,
  size: number,
  range: ByteRange | undefined,
): AsyncGenerator<Buffer> {
  const end = range ? range.last + 1 : size;
  for (let position = range?.first ?? 0; position < end; ) {
    const readable = Math.min(await growth.beyond(position), end);
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, readable - position));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) throw new ContentMismatch('the stored content ended early');
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The file stays open until the fill has ended and the last reader is done. */
function countReaders(
  file: FileHandle,
  done: Promise<void>,
): { open(bytes: AsyncGenerator<Buffer>): Readable } {
  let open = 1;
  const leave = (): void => {
    open -= 1;
    if (open === 0) file.close().catch(() => {});
  };
  done.then(leave, leave);
  return {
    open(bytes) {
      open += 1;
      const stream = Readable.from(bytes, { objectMode: false, highWaterMark: READ_BYTES });
      stream.once('close', leave);
      return stream;
    },
  };
}
