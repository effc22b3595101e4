import { spawn } from 'node:child_process';
import { isErrorWithCode, KiB } from '../../base/index.ts';
import { Fault } from '../../oci/index.ts';

export interface RunOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Of its data: more is refused to it by the system. */
  readonly memoryBytesMax: number;
  readonly outputBytesMax: number;
  readonly signal: AbortSignal;
}

export interface Ran {
  readonly code: number | null;
  readonly output: string;
  /** The end of what it said on standard error. */
  readonly complaint: string;
}

const COMPLAINT_LENGTH_MAX = 2000;
/** Where programs lie; nothing else of our environment is handed on. */
const PROGRAM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** The limit is set in the process that becomes the program; its arguments are never read as shell. */
const LIMITED = 'ulimit -d "$0" && exec "$@"';

/**
 * Runs a program to its end, without the network where it heeds proxies: they lead nowhere.
 *
 * @throws {Fault} it cannot be started. @throws {Error} it said too much, or the signal ended it.
 */
export function runProgram(options: RunOptions): Promise<Ran> {
  const { program, args, directory, environment, memoryBytesMax, outputBytesMax, signal } = options;
  const nowhere = 'http://127.0.0.1:9';
  const limitKib = String(Math.ceil(memoryBytesMax / KiB));
  const child = spawn('/bin/sh', ['-c', LIMITED, limitKib, program, ...args], {
    cwd: directory,
    env: {
      ...{ PATH: PROGRAM_PATH, LANG: 'C.UTF-8' },
      ...{ HOME: directory, TMPDIR: directory, HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere, NO_PROXY: '' },
      GOMEMLIMIT: `${Math.floor((memoryBytesMax * 0.8) / KiB)}KiB`,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that what it starts ends with it.
    detached: true,
  });
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let complaint = '';
    const end = (error: unknown): void => {
      if (child.pid !== undefined) killGroup(child.pid);
      reject(error);
    };
    const onAbort = (): void => end(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > outputBytesMax)
        return void end(new Error(`${program} printed more than ${outputBytesMax} bytes`));
      chunks.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = `${complaint}${chunk}`.slice(-COMPLAINT_LENGTH_MAX);
    });
    child.once('error', (error) => end(notStarted(program, error)));
    child.once('close', (code) => {
      signal.removeEventListener('abort', onAbort);
      // The shell's own words for a program that is not there, or that may not be run.
      if (code === 126 || code === 127) return reject(notStarted(program, new Error(complaint)));
      resolve({ code, output: Buffer.concat(chunks).toString('utf8'), complaint });
    });
  });
}

function notStarted(program: string, cause: unknown): Fault {
  return new Fault('DG_SCANNER_UNAVAILABLE', 'UNAVAILABLE', `${program} cannot be started`, cause);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (!isErrorWithCode(error, 'ESRCH')) throw error;
  }
}
