import type { FindingList } from '../finding-list.ts';
import { type ArchiveEntry, walkArchive } from '../layers/archive.ts';
import { type InspectionLimits, Unscannable } from '../layers/limits.ts';
import { type Bytes, unpack } from '../layers/unpack.ts';
import { FileSearch, type Search } from './file-search.ts';
import { auditShadow, LayerAudit, superuserNames } from './layer-audit.ts';
import { toSecretFinding } from './secret-finding.ts';

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

class ArchiveInspection {
  superusers: readonly string[] | undefined;
  readonly #limits: InspectionLimits;
  readonly #search: Search;
  readonly #findings: FindingList;
  readonly #audit = new LayerAudit();

  constructor(limits: InspectionLimits, search: Search, findings: FindingList) {
    this.#limits = limits;
    this.#search = search;
    this.#findings = findings;
  }

  async run(bytes: Bytes): Promise<void> {
    await walkArchive(bytes, this.#limits, (entry) => this.#inspectEntry(entry));
    for (const finding of this.#audit.findings()) this.#findings.add(finding);
  }

  async #inspectEntry(entry: ArchiveEntry): Promise<void> {
    this.#audit.look(entry, entry.isOutside);
    if (entry.size > 0) await this.#searchFile(entry);
  }

  async #searchFile({ path: name, size, content }: ArchiveEntry): Promise<void> {
    const file = new FileSearch(name, this.#search, (secret) =>
      this.#findings.add(toSecretFinding(secret, name)),
    );
    const isAccounts = name === '/etc/passwd' || name === '/etc/shadow';
    const keeps = isAccounts && size <= ACCOUNTS_BYTES_MAX;
    const kept: Buffer[] = [];
    for await (const chunk of content) {
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
