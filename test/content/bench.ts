import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Logger, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts';
import { type Content, digestOf, openContent } from '../../src/content/index.ts';
import { algorithmOf, type Digest, hexOf } from '../../src/oci/index.ts';

export interface ContentBench {
  /** The content store's. */
  readonly directory: string;
  readonly content: Content;
  /** What was logged as an error. */
  readonly errors: string[];
  /** Opens the same directory once more, as another process would. */
  reopen(): Promise<Content>;
  pathOf(digest: Digest): string;
  /** Names in `tmp` of files. */
  unfinished(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** @param umask of the process from now on. */
export async function openBench(umask?: number): Promise<ContentBench> {
  const root = await mkdtemp(join(tmpdir(), 'dockgate-content-'));
  if (umask !== undefined) process.umask(umask);
  const directory = join(root, 'content');
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (message) => errors.push(message) };
  const open = (): Promise<Content> =>
    openContent({ directory }, { clock: systemClock, random: systemRandom, logger });
  return {
    directory,
    errors,
    content: await open(),
    reopen: open,
    pathOf: (digest) => join(directory, algorithmOf(digest), hexOf(digest).slice(0, 2), hexOf(digest)),
    unfinished: async () =>
      (await readdir(join(directory, 'tmp'))).filter((name) => !name.startsWith('claim-')),
    close: () => rm(root, { recursive: true }),
  };
}

export function sha256Of(bytes: string | Uint8Array): Digest {
  return digestOf(Buffer.from(bytes), 'sha256');
}

/** A registry's answer that gives what the test says, when it says. */
export interface Feed {
  readonly stream: Readable;
  send(bytes: string | Uint8Array): void;
  end(): void;
  cut(): void;
}

export function createFeed(): Feed {
  const stream = new Readable({ read() {} });
  return {
    stream,
    send: (bytes) => stream.push(Buffer.from(bytes)),
    end: () => stream.push(null),
    cut: () => stream.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })),
  };
}

/** What a reader got, and the error that broke it off. */
export interface Received {
  readonly bytes: Buffer;
  readonly error?: Error;
}

/** Reads to the end, whatever it is. */
export function receive(stream: Readable): Promise<Received> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => resolve({ bytes: Buffer.concat(chunks) }));
    stream.once('error', (error) => resolve({ bytes: Buffer.concat(chunks), error }));
  });
}

/** Open files below a directory, as Linux tells; nothing where there is no /proc. */
export async function openFilesBelow(directory: string): Promise<readonly string[]> {
  const names = await readdir('/proc/self/fd').catch(() => []);
  const targets = await Promise.all(
    names.map((name) => readlink(join('/proc/self/fd', name)).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith(directory));
}

/** All that the store lists. */
export async function listed(content: Content): Promise<readonly ListedContent[]> {
  const all: ListedContent[] = [];
  for await (const one of content.list()) all.push(one);
  return all;
}

type ListedContent = ReturnType<Content['list']> extends AsyncIterable<infer One> ? One : never;
