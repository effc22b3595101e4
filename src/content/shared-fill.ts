import { createHash } from 'node:crypto';
import { type FileHandle, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Clock, Logger, Random } from '../base/index.ts';
import { algorithmOf, type ByteRange, type Digest, Fault } from '../oci/index.ts';
import { digestFrom } from './digests.ts';
import { ContentCut, ContentMismatch, ContentUnavailable, orUnavailable } from './faults.ts';
import { openPublished, openTemporary, type Places, publish } from './files.ts';
import { createGrowth, type Growth } from './growth.ts';
import { createLeases, type Lease } from './leases.ts';
import { READ_BYTES, streamOf } from './stream-of.ts';

/** Content on its way into the store, to be read by any number of callers while it grows. */
export interface Fill {
  /** Bytes, as the descriptor says. */
  readonly size: number;
  /**
   * Breaks with an error, never ends early, when the fill fails or turns out to be something else. `range` must lie
   * inside the content; it too ends only when all of the content is known to be right.
   */
  stream(range?: ByteRange): Readable;
  /** Resolves when the content is published; rejects when it is not. */
  readonly done: Promise<void>;
}

export interface FillSource {
  readonly digest: Digest;
  /** Bytes, as the descriptor says. */
  readonly size: number;
  readonly start: () => Promise<Readable>;
}

export interface FillParts {
  readonly places: Places;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The file under its final name, just published and still open. */
  readonly published: (digest: Digest, file: FileHandle) => Promise<void>;
}

/**
 * Begins a fill. It goes on when all who asked for it have gone: the next will ask again (threat P-14).
 *
 * The last byte of each reader is held back until the digest is known to be right, so that a reader of other bytes
 * than the digest names always sees a broken transfer (threats V-21, P-09).
 *
 * @throws {ContentUnavailable} no file could be made; `start` was not called.
 * @throws what `start` throws: nothing was promised to anybody yet, so that its status can still be answered.
 */
export async function startFill(source: FillSource, parts: FillParts): Promise<Fill> {
  const { digest, size } = source;
  const { path, file } = await orUnavailable(openTemporary(parts.places, parts.random));
  const body = await source.start().catch(async (error: unknown) => {
    await file.close();
    await discard(path);
    throw faultOf(error);
  });
  const growth = createGrowth();
  const done = store({ digest, size, body }, parts, { path, file, growth });
  // Readers hear of a failure through their streams; nobody else needs to wait for it.
  done.catch(() => {});
  const leases = createLeases(file, async () => {
    const opened = await openPublished(parts.places, digest);
    if (!opened) throw new ContentUnavailable('removed since it was stored');
    return opened.file;
  });
  done.then(leases.releaseFirst, leases.releaseFirst);
  return { size, done, stream: (range) => streamGrowing(leases.take(), growth, spanOf(size, range)) };
}

interface Arriving {
  readonly digest: Digest;
  readonly size: number;
  readonly body: AsyncIterable<Uint8Array>;
}

async function store(
  source: Arriving,
  { places, clock, logger, published }: FillParts,
  into: { readonly path: string; readonly file: FileHandle; readonly growth: Growth },
): Promise<void> {
  try {
    await receive(source, into.file, into.growth);
    await orUnavailable(into.file.sync());
    await orUnavailable(publish(places, into.path, source.digest, clock.nowMs()));
    await published(source.digest, into.file);
    into.growth.finish();
  } catch (error) {
    const fault = faultOf(error);
    into.growth.fail(fault);
    if (fault instanceof ContentMismatch) {
      logger.error('a registry sent something else than was asked for', {
        digest: source.digest,
        problem: fault.message,
      });
    }
    await discard(into.path);
    throw fault;
  }
}

/** What is no fault of ours by name is the connection's. */
function faultOf(error: unknown): Fault {
  return error instanceof Fault ? error : new ContentCut(error);
}

async function discard(path: string): Promise<void> {
  // A disk that is broken may refuse this too; the sweep comes later.
  await rm(path, { force: true }).catch(() => {});
}

async function receive(source: Arriving, file: FileHandle, growth: Growth): Promise<void> {
  const hash = createHash(algorithmOf(source.digest));
  let bytes = 0;
  for await (const chunk of source.body) {
    if (bytes + chunk.length > source.size) {
      throw new ContentMismatch('the registry sent more than the manifest says');
    }
    hash.update(chunk);
    await orUnavailable(writeAll(file, chunk, bytes));
    bytes += chunk.length;
    growth.advance(bytes);
  }
  if (bytes !== source.size) throw new ContentMismatch('the registry sent less than the manifest says');
  if (digestFrom(hash, algorithmOf(source.digest)) !== source.digest) {
    throw new ContentMismatch('the registry sent something else than the digest says');
  }
}

/** A disk that is nearly full takes a part of what it is given without an error. */
async function writeAll(file: FileHandle, chunk: Uint8Array, at: number): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, written, chunk.length - written, at + written);
    written += bytesWritten;
  }
}

interface Span {
  readonly first: number;
  /** Exclusive. */
  readonly end: number;
}

function spanOf(size: number, range: ByteRange | undefined): Span {
  return range ? { first: range.first, end: range.last + 1 } : { first: 0, end: size };
}

function streamGrowing(lease: Lease, growth: Growth, { first, end }: Span): Readable {
  let position = first;
  const next = async (): Promise<Buffer | undefined> => {
    const readable = await growth.beyond(position, end);
    if (position === end) return undefined;
    const file = await lease.file();
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, readable - position));
    const { bytesRead } = await orUnavailable(file.read(buffer, 0, buffer.length, position));
    if (bytesRead === 0) throw new ContentMismatch('the stored content ended early');
    position += bytesRead;
    return buffer.subarray(0, bytesRead);
  };
  return streamOf(next, lease.release);
}
