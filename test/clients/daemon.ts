import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { until } from '../support/until.ts';

/** A client's daemon, all its files in a folder of its own. */
export interface Daemon {
  readonly directory: string;
  /** Path of its Unix socket. */
  readonly socket: string;
  stop(): Promise<void>;
}

/**
 * Starts a daemon and waits until it answers.
 *
 * @param argumentsOf what it is started with, given its folder and its socket.
 * @param environment besides this process's own.
 * @throws {Error} with the end of what it printed: not root, no such program, a sandbox that forbids what it needs.
 */
export async function startDaemon(
  program: string,
  argumentsOf: (directory: string, socket: string) => readonly string[],
  answers: (socket: string) => Promise<boolean>,
  environment: NodeJS.ProcessEnv = {},
): Promise<Daemon> {
  const directory = mkdtempSync(join(tmpdir(), `${basename(program)}-`));
  const socket = join(directory, 'd.sock');
  const child = spawn(program, argumentsOf(directory, socket), {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-2000);
    });
  }
  child.once('error', (error) => {
    output += String(error);
  });
  const stop = async (): Promise<void> => {
    await end(child);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await until(async () => isOver(child) || (await answers(socket)), `${program} answers`);
    if (isOver(child)) throw new Error(`${program} ended`);
  } catch (error) {
    await stop();
    throw new Error(`${program} does not run here: ${output}`, { cause: error });
  }
  return { directory, socket, stop };
}

function isOver(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function end(child: ChildProcess): Promise<void> {
  if (isOver(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}

/** Starts it, or skips the tests of this hook and says why. */
export async function startOrSkip(
  hook: { skip(): void },
  start: () => Promise<Daemon>,
): Promise<Daemon | undefined> {
  try {
    return await start();
  } catch (error) {
    console.log(`SKIPPED: ${error instanceof Error ? error.message : String(error)}`);
    hook.skip();
    return undefined;
  }
}
