import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Extract, extract, type Header } from 'tar-stream';
import { FileSearch, type Search } from './file-search.ts';
import type { FindingList } from './findings.ts';
import { auditShadow, LayerAudit, superuserNames } from './layer-audit.ts';
import { type InspectionLimits, Unscannable } from './limits.ts';
import { toSecretFinding } from './secret-finding.ts';
import { type Bytes, unpack } from './unpack.ts';

export interface BlobFacts {
  /** Whether the blob is a tar archive, that is, could be a layer. */
  readonly isArchive: boolean;
  /** Of the last `/etc/passwd` in it: names with user id 0. */
  readonly superusers?: readonly string[];
}

export interface BlobOptions {
  /**
   * `layer`: an archive of a root file system, and nothing else. `part`: of an image, by no type of a layer: a client
   * unpacks it all the same. `file`: whatever it is.
   */
  readonly role: 'layer' | 'part' | 'file';
  /** How the blob is called where it is a file: its title or digest. */
  readonly name: string;
  readonly limits: InspectionLimits;
}

/** Account files are read whole; ordinary ones have a few kilobytes. */
const ACCOUNTS_BYTES_MAX = 256 * 1024;
/** `allowUnknownFormat`: archives from before POSIX carry no magic, and clients unpack them. */
const READER_OPTIONS = { highWaterMark: 256 * 1024, allowUnknownFormat: true };
const DATA_TYPES: ReadonlySet<string> = new Set(['file', 'contiguous-file']);

/**
 * Searches one blob as it streams by; writes nothing anywhere and keeps a few megabytes of it at a time.
 *
 * @param findings receives what is found, also when the blob turns out to be unscannable.
 * @throws {Unscannable} when a part of it could not be read, or a limit was passed.
 */
export async function inspectBlob(
  stored: Bytes,
  options: BlobOptions,
  search: Search,
  findings: FindingList,
): Promise<BlobFacts> {
  const { format, bytes } = await unpack(stored, options.limits);
  if (options.role === 'part' && format === 'unread') {
    throw new Unscannable('compressed by bzip2 or xz, which clients unpack and nobody here reads');
  }
  if (options.role !== 'layer' && format !== 'tar') {
    const file = new FileSearch(options.name, search, (secret) =>
      findings.add(toSecretFinding(secret, options.name)),
    );
    for await (const chunk of bytes) file.push(chunk);
    file.end();
    return { isArchive: false };
  }
  const archive = new ArchiveInspection(options.limits, search, findings);
  await archive.run(bytes);
  return { isArchive: true, ...(archive.superusers ? { superusers: archive.superusers } : {}) };
}

type Entry = Extract extends AsyncIterable<infer Source> ? Source : never;

class ArchiveInspection {
  superusers: readonly string[] | undefined;
  readonly #limits: InspectionLimits;
  readonly #search: Search;
  readonly #findings: FindingList;
  readonly #audit = new LayerAudit();
  #entryCount = 0;

  constructor(limits: InspectionLimits, search: Search, findings: FindingList) {
    this.#limits = limits;
    this.#search = search;
    this.#findings = findings;
  }

  async run(bytes: Bytes): Promise<void> {
    const entries = extract(READER_OPTIONS);
    const feeding = pipeline(Readable.from(bytes, { objectMode: false }), entries);
    // Awaited below; without this a failure that the loop sees first would count as unhandled.
    feeding.catch(() => undefined);
    try {
      for await (const entry of entries) await this.#inspectEntry(entry);
      await feeding;
    } catch (error) {
      throw error instanceof Unscannable ? error : await this.#reasonOf(feeding, error);
    }
    for (const finding of this.#audit.findings()) this.#findings.add(finding);
  }

  /** tar-stream reports the source's failure or its own; the source's says more. */
  async #reasonOf(feeding: Promise<void>, error: unknown): Promise<unknown> {
    const cause = await feeding.then(
      () => error,
      (failure: unknown) => failure,
    );
    if (cause instanceof Unscannable) return cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    return new Unscannable(`no whole tar archive (${message.split('.', 1)[0]})`);
  }

  async #inspectEntry(entry: Entry): Promise<void> {
    const header = entry.header;
    this.#entryCount += 1;
    if (this.#entryCount > this.#limits.entriesMax) {
      throw new Unscannable(`more than ${this.#limits.entriesMax} files`);
    }
    if (Buffer.byteLength(header.name) > this.#limits.nameBytesMax) {
      throw new Unscannable(`a file name longer than ${this.#limits.nameBytesMax} bytes`);
    }
    const type: string | null = header.type;
    if (type === null)
      throw new Unscannable('an entry of a type that is not in POSIX, such as a sparse file');
    if (!DATA_TYPES.has(type) && (header.size ?? 0) > 0) {
      // Go's reader takes what follows for the next header, this one for data: a file could hide in between.
      throw new Unscannable(`an entry of type ${type} with content, which readers take differently`);
    }
    const { path: name, isOutside } = resolveName(header.name);
    this.#audit.look({ path: name, type, mode: header.mode ?? 0 }, isOutside);
    if (DATA_TYPES.has(type) && (header.size ?? 0) > 0) await this.#searchFile(name, entry, header);
    else entry.resume();
  }

  async #searchFile(name: string, entry: Entry, header: Header): Promise<void> {
    const file = new FileSearch(name, this.#search, (secret) =>
      this.#findings.add(toSecretFinding(secret, name)),
    );
    const isAccounts = name === '/etc/passwd' || name === '/etc/shadow';
    const keeps = isAccounts && (header.size ?? 0) <= ACCOUNTS_BYTES_MAX;
    const kept: Buffer[] = [];
    for await (const chunk of entry) {
      if (!Buffer.isBuffer(chunk)) throw new TypeError('tar-stream gave something that is no Buffer');
      file.push(chunk);
      if (keeps) kept.push(chunk);
    }
    file.end();
    if (keeps) this.#readAccounts(name, Buffer.concat(kept).toString('latin1'));
  }

  #readAccounts(name: string, text: string): void {
    if (name === '/etc/passwd') this.superusers = superuserNames(text);
    else for (const finding of auditShadow(text)) this.#findings.add(finding);
  }
}

/** The path a runtime would give the entry below its root, and whether the name tried to leave it. */
function resolveName(name: string): { readonly path: string; readonly isOutside: boolean } {
  const relative = path.posix.normalize(name.replace(/^\/+/, ''));
  const absolute = path.posix.normalize(`/${name}`).replace(/(?<=.)\/$/, '');
  return { path: absolute, isOutside: relative === '..' || relative.startsWith('../') };
}
