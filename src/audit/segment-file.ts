import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';

/** `disk`: every append is on stable storage. `os`: it is with the operating system; power loss may lose it. */
export type Durability = 'disk' | 'os';

/** Port: one open segment. Replaced in tests by one that breaks on demand. */
export interface SegmentFile {
  /**
   * Appends all bytes; as durable as asked when it resolves.
   * @throws whatever the system says; what the file holds then is unknown, and it must not be appended to again.
   */
  append(bytes: Uint8Array): Promise<void>;
  /**
   * @throws {SegmentGone} another tool removed, renamed or replaced the file (threat A-22); what was appended is still
   *   whole behind the open handle.
   * @throws {SegmentDisturbed} another tool cut or wrote the file.
   */
  check(): Promise<void>;
  /** All that was appended, wherever the file's name has gone. */
  rescue(): Promise<Buffer>;
  close(): Promise<void>;
}

export type OpenSegment = (path: string, durability: Durability) => Promise<SegmentFile>;

class SegmentDisturbed extends Error {
  override readonly name: string = 'SegmentDisturbed';
  readonly code = 'DISTURBED';
}

/** The file has no name any more, or another one; its bytes can be had until it is closed. */
export class SegmentGone extends SegmentDisturbed {
  override readonly name: string = 'SegmentGone';
}

/** Makes a new segment; one that is there already is an error, since nobody appends to another's file. */
export const openSegmentFile: OpenSegment = async (path, durability) => {
  const isSynced = durability === 'disk' && constants.O_DSYNC !== undefined;
  const create = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL;
  const handle = await open(path, isSynced ? create | constants.O_DSYNC : create, 0o600);
  await handle.chmod(0o600);
  return holdSegment(path, handle, durability === 'disk' && !isSynced);
};

function holdSegment(path: string, handle: FileHandle, mustSync: boolean): SegmentFile {
  let size = 0;
  return {
    async append(bytes) {
      let written = 0;
      while (written < bytes.length) {
        const { bytesWritten } = await handle.write(bytes, written, bytes.length - written);
        if (bytesWritten === 0) throw new Error(`${path}: the system wrote nothing`);
        written += bytesWritten;
      }
      if (mustSync) await handle.datasync();
      size += bytes.length;
    },
    async check() {
      const [mine, atPath] = await Promise.all([handle.stat(), stat(path).catch(() => undefined)]);
      if (mine.size !== size)
        throw new SegmentDisturbed(`${path}: has ${mine.size} bytes instead of ${size}`);
      if (atPath === undefined) throw new SegmentGone(`${path}: removed or renamed while it was in use`);
      if (atPath.ino !== mine.ino || atPath.dev !== mine.dev) {
        throw new SegmentGone(`${path}: replaced while it was in use`);
      }
    },
    async rescue() {
      const bytes = Buffer.alloc(size);
      const { bytesRead } = await handle.read(bytes, 0, size, 0);
      if (bytesRead !== size) throw new SegmentDisturbed(`${path}: gave ${bytesRead} bytes of ${size}`);
      return bytes;
    },
    close: () => handle.close(),
  };
}
