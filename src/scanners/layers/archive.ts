import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Extract, extract, type Header } from 'tar-stream';
import { Fault } from '../../oci/index.ts';
import { type InspectionLimits, Unscannable } from './limits.ts';
import type { Bytes } from './unpack.ts';

/** One entry of a tar archive. */
export interface ArchiveEntry {
  /** Absolute, without `.` and `..`: the path a runtime would give it below its root. */
  readonly path: string;
  /** The name tried to leave the archive by `..`. */
  readonly isOutside: boolean;
  readonly type: NonNullable<Header['type']>;
  /** Permission bits. */
  readonly mode: number;
  /** Bytes of its content; 0 for what is no file. */
  readonly size: number;
  /** Its content, to be read to its end or not at all. */
  readonly content: Bytes;
}

/** `allowUnknownFormat`: archives from before POSIX carry no magic, and clients unpack them. */
const READER_OPTIONS = { highWaterMark: 256 * 1024, allowUnknownFormat: true };
const DATA_TYPES: ReadonlySet<string> = new Set(['file', 'contiguous-file']);

/**
 * Visits the entries of a tar archive in their order, one at a time; the bytes stream by.
 *
 * @throws {Unscannable} it is no whole archive, one that readers take differently, or beyond a limit.
 * @throws {Fault} what `bytes` or `visit` throws.
 */
export async function walkArchive(
  bytes: Bytes,
  limits: Pick<InspectionLimits, 'entriesMax' | 'nameBytesMax'>,
  visit: (entry: ArchiveEntry) => Promise<void>,
): Promise<void> {
  const entries = extract(READER_OPTIONS);
  const feeding = pipeline(Readable.from(bytes, { objectMode: false }), entries);
  // Awaited below; without this a failure that the loop sees first would count as unhandled.
  feeding.catch(() => undefined);
  let entryCount = 0;
  try {
    for await (const entry of entries) {
      entryCount += 1;
      if (entryCount > limits.entriesMax) throw new Unscannable(`more than ${limits.entriesMax} files`);
      await visit(readEntry(entry, limits));
      entry.resume();
    }
    await feeding;
  } catch (error) {
    throw isMeant(error) ? error : await reasonOf(feeding, error);
  }
}

type Source = Extract extends AsyncIterable<infer Entry> ? Entry : never;

function readEntry(entry: Source, limits: Pick<InspectionLimits, 'nameBytesMax'>): ArchiveEntry {
  const header = entry.header;
  if (Buffer.byteLength(header.name) > limits.nameBytesMax) {
    throw new Unscannable(`a file name longer than ${limits.nameBytesMax} bytes`);
  }
  const type: Header['type'] | null = header.type;
  if (type === null || type === undefined) {
    throw new Unscannable('an entry of a type that is not in POSIX, such as a sparse file');
  }
  const isData = DATA_TYPES.has(type);
  if (!isData && (header.size ?? 0) > 0) {
    // Go's reader takes what follows for the next header, this one for data: a file could hide in between.
    throw new Unscannable(`an entry of type ${type} with content, which readers take differently`);
  }
  return {
    ...resolveName(header.name),
    type,
    mode: header.mode ?? 0,
    size: isData ? (header.size ?? 0) : 0,
    content: asBuffers(entry),
  };
}

async function* asBuffers(entry: Source): Bytes {
  for await (const chunk of entry) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('tar-stream gave something that is no Buffer');
    yield chunk;
  }
}

/** Says itself what it is: of the content, or of something that is away. */
function isMeant(error: unknown): boolean {
  return error instanceof Unscannable || error instanceof Fault;
}

/** tar-stream reports the source's failure or its own; the source's says more. */
async function reasonOf(feeding: Promise<void>, error: unknown): Promise<unknown> {
  const cause = await feeding.then(
    () => error,
    (failure: unknown) => failure,
  );
  if (isMeant(cause)) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new Unscannable(`no whole tar archive (${message.split('.', 1)[0]})`);
}

/** The path a runtime would give the entry below its root, and whether the name tried to leave it. */
function resolveName(name: string): { readonly path: string; readonly isOutside: boolean } {
  const relative = path.posix.normalize(name.replace(/^\/+/, ''));
  const absolute = path.posix.normalize(`/${name}`).replace(/(?<=.)\/$/, '');
  return { path: absolute, isOutside: relative === '..' || relative.startsWith('../') };
}
