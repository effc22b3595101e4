import { createHash } from 'node:crypto';
import { type FileHandle, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { type Clock, type Logger, type Random, SECOND_MS } from '../base/index.ts';
import { algorithmOf, type ByteRange, type Digest, Fault } from '../oci/index.ts';
import { digestFrom } from './digests.ts';
import { ContentCut, ContentMismatch, ContentUnavailable, orUnavailable } from './faults.ts';
import { openPublished, openTemporary, type Places, publish } from './files.ts';
import { streamGrowing } from './growing-stream.ts';
import { createGrowth, type Growth } from './growth.ts';
import { createLeases } from './leases.ts';

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

const SIGN_EVERY_MS = SECOND_MS;

/**
 * Begins a fill. It goes on when all who asked for it have gone: the next will ask again (threat P-14).
 *
 * The last byte of each reader is held back until the digest is known to be right, so that a reader of other bytes
 * than the digest names always sees a broken transfer (threats V-21, P-09).
 *
 * @param name of the unfinished file, where others are told of it.
 * @throws {ContentUnavailable} no file could be made; `start` was not called.
 * @throws what `start` throws: nothing was promised to anybody yet, so that its status can still be answered.
 */
export async function startFill(source: FillSource, parts: FillParts, name?: string): Promise<Fill> {
  const { digest, size } = source;
  const { path, file } = await orUnavailable(openTemporary(parts.places, parts.random, name));
  const stopSigns = giveSigns(file, parts.clock);
  const body = await source.start().catch(async (error: unknown) => {
    stopSigns();
    await file.close();
    await discard(path);
    throw faultOf(error);
  });
  const growth = createGrowth();
  const done = store({ digest, size, body }, parts, { path, file, growth });
  // Readers hear of a failure through their streams; nobody else needs to wait for it.
  done.catch(() => {}).then(stopSigns);
  const leases = createLeases(file, async () => {
    const opened = await openPublished(parts.places, digest);
    if (!opened) throw new ContentUnavailable('removed since it was stored');
    return opened.file;
  });
  done.then(leases.releaseFirst, leases.releaseFirst);
  return { size, done, stream: (range) => streamGrowing(leases.take(), growth, size, range) };
}

/** Touches the file, also while the registry is slow: other processes that read along see that this one lives. */
function giveSigns(file: FileHandle, clock: Clock): () => void {
  const timer = setInterval(() => {
    const now = clock.nowMs() / SECOND_MS;
    // Closed meanwhile, or a disk that refuses: then others ask for themselves.
    file.utimes(now, now).catch(() => {});
  }, SIGN_EVERY_MS).unref();
  return () => clearInterval(timer);
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
