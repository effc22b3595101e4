import { readFile } from 'node:fs/promises';
import { isErrorWithCode, replaceFileDurably } from '../base/index.ts';
import type { Cursor } from './ports.ts';

/**
 * A cursor as a file (0600) with the number of a leaf. It is replaced as a whole, so a crash leaves the old or the
 * new one; the old one only sends something twice.
 *
 * @throws {Error} from `load`: the file holds no number. Beginning anew would send everything again, so nobody guesses.
 */
export function createCursorFile(path: string): Cursor {
  return {
    async load() {
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        if (isErrorWithCode(error, 'ENOENT')) return '0';
        throw error;
      });
      if (!/^\d{1,15}\n?$/.test(text)) {
        throw new Error(
          `${path} holds no number of a record: write one into it, or remove it to send everything`,
        );
      }
      return Number(text);
    },
    save: (next) => replaceFileDurably(path, `${next}\n`, 0o600),
  };
}
