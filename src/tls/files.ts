import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, isErrorWithCode, isTemporaryName, MINUTE_MS, StartError } from '../base/index.ts';

/** The four files of the certificates' directory. */
export interface CertificateFiles {
  readonly directory: string;
  readonly caCertificate: string;
  readonly caKey: string;
  readonly certificate: string;
  readonly key: string;
}

export function certificateFiles(directory: string): CertificateFiles {
  return {
    directory,
    caCertificate: join(directory, 'ca.crt'),
    caKey: join(directory, 'ca.key'),
    certificate: join(directory, 'server.crt'),
    key: join(directory, 'server.key'),
  };
}

/** @returns `undefined` when there is no such file. */
export async function readPublicFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrorWithCode(error, 'ENOENT')) return undefined;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`${path} cannot be read (${reason}): make it readable by the server's user`);
  }
}

/** Makes the directory, open to read since `ca.crt` is for everybody; removes what crashes left half-written. */
export async function prepareDirectory(directory: string, clock: Clock): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o755 });
    for (const name of await readdir(directory)) {
      if (!isTemporaryName(name)) continue;
      const path = join(directory, name);
      const age = await stat(path).then(
        (stats) => clock.nowMs() - stats.mtimeMs,
        () => 0,
      );
      // A young one may be another process at work.
      if (age > MINUTE_MS) await rm(path, { force: true });
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`directory of certificates ${directory} cannot be used: ${reason}`);
  }
}
