import { chmodSync, mkdirSync } from 'node:fs';
import { createFileDurably, type Random, readPrivateFile, StartError } from '../base/index.ts';

const KEY_BYTES = 32;

/** Makes a file with a random key where there is none; done once, before any process reads it. */
export async function ensureSharedKey(path: string, random: Random): Promise<void> {
  if ((await readPrivateFile(path)) !== undefined) return;
  await createFileDurably(path, `${Buffer.from(random.bytes(KEY_BYTES)).toString('hex')}\n`, 0o600);
}

/**
 * @returns 32 bytes.
 * @throws {StartError} the file is missing, holds something else, or could be read by others.
 */
export async function readSharedKey(path: string): Promise<Uint8Array> {
  const text = (await readPrivateFile(path))?.trim();
  if (text === undefined || !/^[0-9a-f]{64}$/.test(text)) {
    throw new StartError(`${path}: must hold ${KEY_BYTES} bytes in hexadecimal; restore it from a backup`);
  }
  return Buffer.from(text, 'hex');
}

/**
 * A directory for its owner alone, whatever the umask.
 * @throws {StartError} it cannot be made, or is not ours.
 */
export function makePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(
      `data directory ${path} cannot be used (${reason}): it must be a directory of the server's own user, ` +
        'or choose another with --data',
    );
  }
}
