import { createPrivateKey, type KeyObject } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { StartError } from '../base/index.ts';

/** `token-<milliseconds of its making>.pem`: the age of a key survives a restored backup, unlike a file's date. */
const KEY_FILE = /^token-(\d{1,16})\.pem$/;
const TEMPORARY_FILE = /^token-\d{1,16}\.pem\.new$/;
const KEY_BYTES_MAX = 16_384;

export interface KeyFile {
  readonly path: string;
  readonly createdAtMs: number;
  readonly key: KeyObject;
}

/**
 * Reads every token key of the directory. Synchronous, as all here: it happens at the start and when keys change,
 * and a removed key must be gone when the handler of the change returns. A file that is not exactly what we wrote stops the start: a new key in
 * its place would quietly end every token, and hide that somebody was here.
 *
 * @throws {StartError} naming the file, what is wrong with it and what to do.
 */
export function readKeyFiles(directory: string): readonly KeyFile[] {
  const files: KeyFile[] = [];
  for (const name of listDirectory(directory)) {
    const match = KEY_FILE.exec(name);
    if (match) files.push(readKeyFile(join(directory, name), Number(match[1])));
  }
  return files;
}

/** Writes a new key so that a crash leaves either the whole file or none. */
export function writeKeyFile(directory: string, createdAtMs: number, pem: string): void {
  makeDirectory(directory);
  const path = join(directory, `token-${createdAtMs}.pem`);
  const temporary = `${path}.new`;
  if (existsSync(path)) throw new StartError(`the token key ${path} is there already; nothing was written`);
  try {
    withFile(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, (file) => {
      // The mode given to open is narrowed by the umask, never widened; this makes it exact.
      fchmodSync(file, 0o600);
      writeFileSync(file, pem);
      fsyncSync(file);
    });
    renameSync(temporary, path);
    withFile(directory, constants.O_RDONLY, fsyncSync);
  } catch (cause) {
    throw new StartError(
      `cannot write the token key ${path}: ${reasonOf(cause)}. Check the directory's owner and the disk.`,
    );
  }
}

/** Removes what a crash left of a key that was being written; it was never in use. */
export function removeUnfinished(directory: string): void {
  for (const name of listDirectory(directory)) {
    if (TEMPORARY_FILE.test(name)) removeKeyFile(join(directory, name));
  }
}

/** @throws {StartError} it cannot be removed. */
export function removeKeyFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (cause) {
    throw new StartError(`cannot remove ${path}: ${reasonOf(cause)}. Remove it by hand.`);
  }
}

function readKeyFile(path: string, createdAtMs: number): KeyFile {
  const text = readPrivate(path);
  const key = parsePrivateKey(path, text);
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw broken(path, 'is no P-256 key (ES256)');
  }
  return { path, createdAtMs, key };
}

function readPrivate(path: string): string {
  try {
    // O_NOFOLLOW and one open file for check and reading: the file cannot be exchanged in between.
    return withFile(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK, (file) => {
      checkFile(path, fstatSync(file));
      return readFileSync(file, 'utf8');
    });
  } catch (cause) {
    if (cause instanceof StartError) throw cause;
    throw broken(path, `cannot be read (${reasonOf(cause)})`);
  }
}

function checkFile(path: string, stats: Stats): void {
  if (!stats.isFile()) throw broken(path, 'is no plain file');
  if (stats.size > KEY_BYTES_MAX) throw broken(path, 'is far too large for a key');
  if ((stats.mode & 0o077) !== 0) {
    throw new StartError(
      `the token key ${path} can be read or written by others (mode ${(stats.mode & 0o777).toString(8)}). ` +
        `Nobody may hold it but this server: if others had access, remove the file (all tokens end), else: chmod 600 ${path}`,
    );
  }
  if (stats.uid !== process.geteuid?.()) {
    throw new StartError(
      `the token key ${path} belongs to user ${stats.uid}, but the server runs as ${process.geteuid?.()}. ` +
        'Start it as that user, or change the owner of the whole data directory.',
    );
  }
}

function parsePrivateKey(path: string, text: string): KeyObject {
  try {
    return createPrivateKey({ key: text, format: 'pem' });
  } catch (cause) {
    throw broken(path, `is no private key in PEM form without a passphrase (${reasonOf(cause)})`);
  }
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const stats = lstatSync(directory);
    if (!stats.isDirectory())
      throw new StartError(`${directory} is no directory; the token keys belong there`);
    chmodSync(directory, 0o700);
  } catch (cause) {
    if (cause instanceof StartError) throw cause;
    throw new StartError(`cannot make the directory ${directory} for the token keys: ${reasonOf(cause)}`);
  }
}

function listDirectory(directory: string): readonly string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw new StartError(`cannot read the directory ${directory} of the token keys: ${reasonOf(cause)}`);
  }
}

function withFile<T>(path: string, flags: number, use: (file: number) => T): T {
  const file = openSync(path, flags, 0o600);
  try {
    return use(file);
  } finally {
    closeSync(file);
  }
}

function broken(path: string, what: string): StartError {
  return new StartError(
    `the token key ${path} ${what}. Restore it from a backup, or remove it to get a new one (all tokens end).`,
  );
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
