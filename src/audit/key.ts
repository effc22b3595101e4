import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StartError } from '../base/index.ts';
import { isMissing, makeDirectory, syncDirectory } from './disk.ts';

/** The key that signs checkpoints; only the sequencer's process holds it. */
export interface LogKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Ed25519 over the bytes. */
  sign(bytes: Uint8Array): Uint8Array;
}

/**
 * Reads the log's Ed25519 key (PKCS#8 PEM), or makes one when the file is not there. A file that is there is never
 * replaced: with another key the log could not be continued.
 *
 * @throws {StartError} unreadable, of another kind, or readable by others than its owner.
 */
export async function loadOrCreateLogKey(path: string): Promise<LogKey> {
  const pem = (await readKeyFile(path)) ?? (await createKeyFile(path));
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // The cause could quote the file; the sentence says all that is needed.
    throw new StartError(
      `${path}: not a private key in PEM; restore it from a backup (it is never replaced)`,
    );
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new StartError(`${path}: an ${key.asymmetricKeyType} key; the access log needs an Ed25519 key`);
  }
  return createLogKey(key);
}

export function createLogKey(key: KeyObject): LogKey {
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return { publicKey: spki.subarray(spki.length - 32), sign: (bytes) => sign(null, bytes, key) };
}

/** @returns `undefined` when there is no file. */
async function readKeyFile(path: string): Promise<string | undefined> {
  try {
    const handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    try {
      const { mode } = await handle.stat();
      if ((mode & 0o077) !== 0) {
        throw new StartError(`${path}: others than its owner may read it; run: chmod 600 '${path}'`);
      }
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (error instanceof StartError) throw error;
    throw new StartError(`${path}: cannot be read as a plain file; check its owner, mode and kind`);
  }
}

/** The file appears whole or not at all, and never in the place of another. */
async function createKeyFile(path: string): Promise<string> {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  await makeDirectory(dirname(path));
  const draft = `${path}.${randomUUID()}.tmp`;
  const handle = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await handle.chmod(0o600);
    await handle.writeFile(pem);
    await handle.sync();
    await link(draft, path);
  } catch (error) {
    // Another process made it in this moment: that one is the key.
    const made = await readKeyFile(path);
    if (made !== undefined) return made;
    throw error;
  } finally {
    await handle.close();
    await rm(draft, { force: true });
  }
  await syncDirectory(dirname(path));
  return pem;
}
