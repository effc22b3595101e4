import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.ts';

/** @see eicar.org: a file that every scanner knows, in two parts so that this one is none. */
export const EICAR = `${'X5O!P%@AP[4\\PZX54(P^)7CC)7}'}${'$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'}`;
/** What our own signature looks for. */
export const OWN_MALWARE = 'dockgate own signature: 4a5b6c7d';

export type Clamd = Awaited<ReturnType<typeof startClamd>>;

/**
 * Debian's clamd over a folder of its own, with a database of two signatures.
 *
 * @param settings lines of clamd.conf.
 */
export async function startClamd(settings: readonly string[] = ['AlertExceedsMax yes']) {
  const folder = mkdtempSync(join(tmpdir(), 'dockgate-clamd-'));
  const database = join(folder, 'database');
  const path = join(folder, 'clamd.ctl');
  mkdirSync(database);
  const hex = (text: string) => Buffer.from(text).toString('hex');
  // Body signatures: name, any type of file, anywhere in it.
  const signatures = [`Dockgate.Test.EICAR:0:*:${hex(EICAR)}`, `Dockgate.Test.Own:0:*:${hex(OWN_MALWARE)}`];
  writeFileSync(join(database, 'test.ndb'), `${signatures.join('\n')}\n`);
  const config = join(folder, 'clamd.conf');
  const lines = [`DatabaseDirectory ${database}`, `LocalSocket ${path}`, 'Foreground yes', 'MaxThreads 2'];
  // Its own user is for a server that runs as root; a test keeps its own.
  writeFileSync(config, `${[...lines, ...settings].join('\n')}\n`);
  const child = spawn('/usr/sbin/clamd', ['--config-file', config], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await until(() => answers(path), 'clamd answers');
  return {
    path,
    address: { path },
    async stop() {
      child.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => socket.write('zPING\0'));
    socket.once('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
