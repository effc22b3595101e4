import type { FileHandle } from 'node:fs/promises';

/** The right to read a file that is closed when nobody reads it any more. */
export interface Lease {
  file(): Promise<FileHandle>;
  release(): void;
}

export interface Leases {
  take(): Lease;
  /** Gives up the lease with which it all began. */
  releaseFirst(): void;
}

/**
 * Shares one open file; it is closed with the last lease. Who comes after that gets a file of its own.
 *
 * @param reopen opens the file by its final name.
 */
export function createLeases(file: FileHandle, reopen: () => Promise<FileHandle>): Leases {
  let count = 1;
  const release = (): void => {
    count -= 1;
    if (count === 0) close(file);
  };
  return {
    releaseFirst: release,
    take() {
      if (count === 0) return ownLease(reopen);
      count += 1;
      return { file: async () => file, release };
    },
  };
}

function ownLease(open: () => Promise<FileHandle>): Lease {
  let opened: Promise<FileHandle> | undefined;
  let isReleased = false;
  return {
    async file() {
      if (isReleased) throw new Error('the stream is closed');
      opened ??= open();
      return opened;
    },
    release() {
      isReleased = true;
      // What could not be opened need not be closed; its reader has been told.
      opened?.then(close, () => {});
    },
  };
}

function close(file: FileHandle): void {
  // What was written is synced before; nothing is lost when closing fails.
  file.close().catch(() => {});
}
