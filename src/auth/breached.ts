import { hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { StartError } from '../base/index.ts';

/** Passwords that are known from breaches elsewhere. */
export interface BreachedPasswords {
  /** @throws {Error} the list cannot be read any more: nobody may be told that a password is not on it. */
  holds(password: string): Promise<boolean>;
  close(): Promise<void>;
}

const HASH_LENGTH = 40;
const LINE_BYTES_MAX = 128;
const LINE = /^[0-9A-Fa-f]{40}(?::\d+)?$/;

/**
 * Opens a list of SHA-1 hashes, one a line, ordered, each with or without `:COUNT`: the file that Have I Been Pwned
 * offers. It is searched on the disk by halves, about 36 reads for a billion lines, and never held in memory.
 *
 * @throws {StartError} it cannot be read, or does not begin like such a list.
 */
export async function openBreachedPasswords(path: string): Promise<BreachedPasswords> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new StartError(
      `${path}, the list of breached passwords, cannot be read: ${error instanceof Error ? error.message : error}`,
    );
  });
  const { size } = await file.stat();
  const first = await lineAt(file, 0);
  if (first === undefined || !LINE.test(first.text)) {
    await file.close();
    throw new StartError(`${path} is no ordered list of SHA-1 hashes, one a line (HASH or HASH:COUNT)`);
  }
  return {
    async holds(password) {
      // The list is made of SHA-1; it finds, and protects nothing.
      const wanted = hash('sha1', password, 'hex').toUpperCase();
      return find(file, size, wanted);
    },
    close: () => file.close(),
  };
}

/** Between `low` and `high` the line begins that is looked for, if there is one. */
async function find(file: FileHandle, size: number, wanted: string): Promise<boolean> {
  let low = 0;
  let high = size;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const line = await lineAt(file, middle);
    const found = line?.text.slice(0, HASH_LENGTH).toUpperCase();
    if (found === wanted) return true;
    if (line === undefined || found === undefined || found > wanted) high = middle;
    else low = line.endsAt;
  }
  return false;
}

/** The first line that begins at the place or after it. */
async function lineAt(
  file: FileHandle,
  at: number,
): Promise<{ readonly text: string; readonly endsAt: number } | undefined> {
  // From the byte before, so that a line that begins right here is seen as one.
  const from = Math.max(0, at - 1);
  const { bytesRead, buffer } = await file.read(
    Buffer.alloc(2 * LINE_BYTES_MAX),
    0,
    2 * LINE_BYTES_MAX,
    from,
  );
  const text = buffer.toString('latin1', 0, bytesRead);
  const begin = at === 0 ? 0 : text.indexOf('\n') + 1;
  if (at !== 0 && begin === 0) return undefined;
  if (begin >= bytesRead) return undefined;
  const newline = text.indexOf('\n', begin);
  const end = newline < 0 ? bytesRead : newline;
  return { text: text.slice(begin, end).replace(/\r$/, ''), endsAt: from + end + 1 };
}
