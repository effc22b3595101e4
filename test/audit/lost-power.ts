import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type SystemCall, stringsIn, type TraceStep } from './trace.ts';

interface Write {
  readonly at: number;
  readonly bytes: Buffer;
  isSynced: boolean;
}

interface FileNode {
  readonly writes: Write[];
  size: number;
}

interface DirectoryNode {
  readonly now: Map<string, FileNode | DirectoryNode>;
  synced: Map<string, FileNode | DirectoryNode>;
}

interface OpenFile {
  readonly node: FileNode | DirectoryNode;
  readonly isAppending: boolean;
  readonly isSyncing: boolean;
  at: number;
}

/** What an fsync that runs will have made durable: what was written when it began. */
interface Sync {
  readonly node: FileNode | DirectoryNode;
  readonly writes: readonly Write[];
  readonly entries: Map<string, FileNode | DirectoryNode>;
}

/**
 * The files below one directory as a trace of system calls leaves them, and which of that a disk was told to keep. It
 * shares nothing with the program that was traced, and believes only fsync, fdatasync and O_DSYNC.
 */
export class LostPower {
  readonly #root: string;
  readonly #top: DirectoryNode = newDirectory();
  readonly #open = new Map<number, OpenFile>();
  readonly #syncs = new Map<string, Sync>();
  readonly #running = new Map<string, SystemCall>();
  /** What the traced program had said on its standard output. */
  said = '';

  /** @param root an absolute path; it was empty when the trace began. */
  constructor(root: string) {
    this.#root = root;
  }

  play({ thread, moment, call }: TraceStep): void {
    if (moment !== 'end') this.#begin(thread, call);
    if (moment !== 'begin') this.#end(thread, call);
  }

  #begin(thread: string, call: SystemCall): void {
    this.#running.set(thread, call);
    const fd = Number.parseInt(call.given, 10);
    // From its beginning on somebody may have heard it.
    if (call.name.startsWith('write') && fd === 1) this.said += stringsIn(call.given).join('');
    const node = this.#open.get(fd)?.node;
    if (call.name !== 'fsync' && call.name !== 'fdatasync') return;
    if (node === undefined) return;
    const isFile = 'writes' in node;
    this.#syncs.set(thread, {
      node,
      writes: isFile ? [...node.writes] : [],
      entries: isFile ? new Map() : new Map(node.now),
    });
  }

  #end(thread: string, call: SystemCall): void {
    this.#running.delete(thread);
    const sync = this.#syncs.get(thread);
    this.#syncs.delete(thread);
    const { name, given, returned } = call;
    if (returned === undefined || returned < 0) return;
    const paths = stringsIn(given);
    const [first = '', second = ''] = paths.map(String);
    const fd = Number.parseInt(given, 10);
    if (name === 'openat') this.#openAt(first, given, returned);
    else if (name === 'close') this.#open.delete(fd);
    else if (/^p?write/.test(name)) this.#write(call, fd, returned);
    else if (sync !== undefined) keep(sync);
    else if (name.startsWith('mkdir')) this.#put(first, newDirectory());
    else if (name.startsWith('rename')) this.#put(second, this.#take(first));
    else if (name.startsWith('link')) this.#put(second, this.#find(first));
    else if (name.startsWith('unlink') || name === 'rmdir') this.#take(first);
    else if (this.#find(first) ?? this.#open.get(fd)) throw new Error(`the model does not know ${name}`);
  }

  #openAt(path: string, given: string, fd: number): void {
    const flags = given.slice(given.lastIndexOf('"') + 1);
    let node = this.#find(path);
    if (node === undefined && flags.includes('O_CREAT')) {
      node = { writes: [], size: 0 };
      this.#put(path, node);
    }
    if (node === undefined) return;
    if (flags.includes('O_TRUNC')) throw new Error(`the model does not know O_TRUNC, of ${path}`);
    const isAppending = flags.includes('O_APPEND');
    this.#open.set(fd, { node, isAppending, isSyncing: /O_D?SYNC/.test(flags), at: 0 });
  }

  #write(call: SystemCall, fd: number, count: number): void {
    const file = this.#open.get(fd);
    const write = file && writeOf(call, file, count);
    if (file === undefined || write === undefined || !('writes' in file.node)) return;
    file.node.writes.push(write);
    const end = write.at + write.bytes.length;
    file.node.size = Math.max(file.node.size, end);
    if (!call.name.startsWith('pwrite')) file.at = end;
  }

  #find(path: string): FileNode | DirectoryNode | undefined {
    const parts = this.#partsOf(path);
    let node: FileNode | DirectoryNode | undefined = parts && this.#top;
    for (const part of parts ?? []) node = node && 'now' in node ? node.now.get(part) : undefined;
    return node;
  }

  #put(path: string, node: FileNode | DirectoryNode | undefined): void {
    const parent = this.#find(dirname(path));
    if (node && parent && 'now' in parent) parent.now.set(basename(path), node);
  }

  #take(path: string): FileNode | DirectoryNode | undefined {
    const parent = this.#find(dirname(path));
    if (!parent || !('now' in parent)) return undefined;
    const taken = parent.now.get(basename(path));
    parent.now.delete(basename(path));
    return taken;
  }

  #partsOf(path: string): readonly string[] | undefined {
    if (path === this.#root) return [];
    return path.startsWith(`${this.#root}/`) ? path.slice(this.#root.length + 1).split('/') : undefined;
  }

  /**
   * The files as they are found after kill -9 at this moment: all that was written is there, and any part of a write
   * that was still running.
   */
  writeKilled(to: string, random: () => number): void {
    const running = new Map<FileNode, Write>();
    for (const call of this.#running.values()) {
      const file = this.#open.get(Number.parseInt(call.given, 10));
      if (!/^p?write/.test(call.name) || file === undefined || !('writes' in file.node)) continue;
      const length = Buffer.concat(stringsIn(call.given)).length;
      const part = writeOf(call, file, Math.floor(random() * (length + 1)));
      if (part !== undefined) running.set(file.node, part);
    }
    writeDirectory(this.#top, to, {
      entries: (node) => node.now,
      writes: (node) => [...node.writes, ...[running.get(node) ?? []].flat()],
      has: () => 1,
    });
  }

  /**
   * The files as they are found after the power went: of what was not synced any part is there, or nothing; of names
   * that were not synced the old or the new one.
   *
   * @param isTrusting false: as if no fsync had ever been asked for.
   */
  writeUnpowered(to: string, random: () => number, isTrusting = true): void {
    const syncedOf = (node: DirectoryNode) => (isTrusting ? node.synced : new Map());
    writeDirectory(this.#top, to, {
      entries(node) {
        const synced = syncedOf(node);
        const names = new Set([...node.now.keys(), ...synced.keys()]);
        const kept = new Map<string, FileNode | DirectoryNode>();
        for (const name of names) {
          const chosen = random() < 0.5 ? node.now.get(name) : synced.get(name);
          if (chosen !== undefined) kept.set(name, chosen);
        }
        return kept;
      },
      writes: (node) => node.writes,
      has: ({ isSynced }) => (isSynced && isTrusting ? 1 : Math.max(0, random() * 3 - 1)),
    });
  }
}

/** The first `count` bytes of a write. */
function writeOf({ name, given }: SystemCall, file: OpenFile, count: number): Write | undefined {
  if (!('writes' in file.node)) return undefined;
  const bytes = Buffer.concat(stringsIn(given)).subarray(0, count);
  if (bytes.length !== count) throw new Error('the trace does not hold the whole of a write');
  const placed = name.startsWith('pwrite') ? Number(/, (\d+)$/.exec(given)?.[1]) : file.at;
  return { at: file.isAppending ? file.node.size : placed, bytes, isSynced: file.isSyncing };
}

function newDirectory(): DirectoryNode {
  return { now: new Map(), synced: new Map() };
}

function keep({ node, writes, entries }: Sync): void {
  for (const write of writes) write.isSynced = true;
  if ('synced' in node) node.synced = entries;
}

interface View {
  readonly entries: (node: DirectoryNode) => ReadonlyMap<string, FileNode | DirectoryNode>;
  readonly writes: (node: FileNode) => readonly Write[];
  /** How much of a write is there: 1 and more is all of it. */
  readonly has: (write: Write) => number;
}

function writeDirectory(node: DirectoryNode, to: string, view: View): void {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const [name, child] of view.entries(node)) {
    const path = join(to, name);
    if ('writes' in child) writeFileSync(path, contentOf(child, view), { mode: 0o600 });
    else writeDirectory(child, path, view);
  }
}

function contentOf(node: FileNode, view: View): Buffer {
  const parts = view.writes(node).map((write) => {
    const share = Math.min(1, view.has(write));
    return { at: write.at, bytes: write.bytes.subarray(0, Math.ceil(write.bytes.length * share)) };
  });
  const length = Math.max(0, ...parts.map(({ at, bytes }) => (bytes.length > 0 ? at + bytes.length : 0)));
  // What was never written below the end reads as NUL.
  const content = Buffer.alloc(length);
  for (const { at, bytes } of parts) bytes.copy(content, at);
  return content;
}
