import { readFile, stat } from 'node:fs/promises';
import { isErrorWithCode, KiB, MiB, StartError } from '../base/index.ts';

const CONFIG_BYTES_MAX = 4 * MiB;
const SECRET_BYTES_MAX = 64 * KiB;
const CERTIFICATES_BYTES_MAX = MiB;

/** @returns `undefined` when there is no such file and `mayBeAbsent`. */
export async function readConfigFile(path: string, mayBeAbsent: boolean): Promise<string | undefined> {
  try {
    return await readText(path, CONFIG_BYTES_MAX);
  } catch (error) {
    if (mayBeAbsent && isErrorWithCode(error, 'ENOENT')) return undefined;
    throw new StartError(`${path}: cannot be read (${reasonOf(error)})`);
  }
}

/**
 * Reads a secret from a file; one line break at its end is not part of it.
 * @param where the key that names the file, for the message.
 */
export async function readSecretFile(path: string, where: string): Promise<string> {
  const text = await readText(path, SECRET_BYTES_MAX).catch((error: unknown) => {
    throw new StartError(`${where}: ${path} cannot be read (${reasonOf(error)})`);
  });
  const secret = text.replace(/\r?\n$/, '');
  if (secret === '') throw new StartError(`${where}: ${path} is empty`);
  return secret;
}

/** Reads PEM certificates to trust. */
export async function readCertificates(path: string, where: string): Promise<string> {
  const text = await readText(path, CERTIFICATES_BYTES_MAX).catch((error: unknown) => {
    throw new StartError(`${where}: ${path} cannot be read (${reasonOf(error)})`);
  });
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new StartError(`${where}: ${path} holds no certificate in PEM`);
}

/** Reads what is public: a key in PEM, a trusted root. */
export async function readPublicFile(path: string, where: string): Promise<string> {
  return readText(path, CERTIFICATES_BYTES_MAX).catch((error: unknown) => {
    throw new StartError(`${where}: ${path} cannot be read (${reasonOf(error)})`);
  });
}

async function readText(path: string, bytesMax: number): Promise<string> {
  const { size } = await stat(path);
  if (size > bytesMax) throw new StartError(`larger than ${bytesMax} bytes`);
  const bytes = await readFile(path);
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
