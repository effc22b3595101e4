import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Keeper } from './witness.ts';

/**
 * Appends each checkpoint to a file, on stable storage. It never cuts or rewrites the file, so the file may be
 * append-only (`chattr +a`) or lie on a mount of another machine.
 */
export function createFileKeeper({ path }: { readonly path: string }): Keeper {
  return {
    async keep({ note }) {
      const handle = await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
      try {
        // In one write with the blank line that ends a note, so that two never run into each other.
        await handle.appendFile(`${note}\n`);
        await handle.datasync();
      } finally {
        await handle.close();
      }
    },
    close: async () => {},
  };
}
