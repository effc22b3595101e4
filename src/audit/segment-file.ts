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
  /** @throws {SegmentDisturbed} another tool removed, replaced, cut or wrote the file (threat A-22). */
  check(): Promise<void>;
  close(): Promise<void>;
}

export type OpenSegment = (path: string, durability: Durability) => Promise<SegmentFile>;

class SegmentDisturbed extends Error {
  override readonly name = 'SegmentDisturbed';
  readonly code = 'DISTURBED';
}

/** Makes a new segment; one that is there already is an error, since nobody appends to another's file. */
export const openSegmentFile: OpenSegment = async (path, durability) => {
  const isSynced = durability === 'disk' && constants.O_DSYNC !== undefined;
  const create = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL;
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
      if (atPath === undefined) throw new SegmentDisturbed(`${path}: removed or renamed while it was in use`);
      if (atPath.ino !== mine.ino || atPath.dev !== mine.dev) {
        throw new SegmentDisturbed(`${path}: replaced while it was in use`);
      }
      if (mine.size !== size)
        throw new SegmentDisturbed(`${path}: has ${mine.size} bytes instead of ${size}`);
    },
    close: () => handle.close(),
  };
}
