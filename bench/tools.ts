import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { goProgram } from '../test/support/go-program.ts';
import type { PeerId } from './peer.ts';

/** Debian keeps some servers outside of an ordinary user's PATH. */
const SYSTEM = ['/usr/sbin', '/sbin'];

/** Lets programs that only root finds be started by name, here and in what is started from here. */
export function widenPath(): void {
  process.env.PATH = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM].join(delimiter);
}

/** The load generators that are not here; nothing can be measured without them. */
export function missingTools(): readonly string[] {
  return ['wrk', 'hey', 'curl', 'openssl', 'docker-registry', 'getconf'].filter((name) => !isOnPath(name));
}

/** The peers that this machine does not have, and what to do about it. */
export function missingPeers(): Map<PeerId, string> {
  const missing = new Map<PeerId, string>();
  if (!isOnPath('nginx')) missing.set('nginx', 'nginx: `sh test/setup.sh --bench` installs it');
  if (!isExecutable(goProgram('distribution')))
    missing.set('distribution', 'distribution 3: `sh test/setup.sh --bench` builds it where Go is installed');
  if (!isOnPath('zot')) missing.set('zot', 'zot: put a release of it on the PATH');
  return missing;
}

function isOnPath(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => isExecutable(join(folder, name)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
