import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { NoProof } from '../../audit/index.ts';
import { parseDuration, systemClock } from '../../base/index.ts';
import { CommandFailed, UsageError } from '../client.ts';
import { readText } from '../input.ts';

/** Options of the commands that read a log's files. */
export interface LogOptions {
  readonly log?: string;
  readonly publicKey?: string;
}

/** Where the files of a log are; its key from a place of the caller's choice, else from beside it. */
export interface LogPlace {
  readonly directory: string;
  readonly publicKey: string;
  readonly isJson: boolean;
}

/** Finds the log that the options name: the server's own, or a copy. @throws {CommandFailed} there is none. */
export function locate(options: LogOptions, command: Command): LogPlace {
  const { data, json } = command.optsWithGlobals<{ data?: string; json?: boolean }>();
  const directory = resolve(options.log ?? join(data ?? 'data', 'audit'));
  if (!existsSync(join(directory, 'log'))) {
    throw new CommandFailed(
      `${directory} holds no access log: name the folder that holds \`log\` and \`wal\``,
    );
  }
  const publicKey = readText(options.publicKey ?? join(directory, 'log', 'key.pub'));
  return { directory, publicKey, isJson: json === true };
}

/**
 * A duration back from now (`2h`, `7d`) or a UTC instant, in milliseconds since 1970; `undefined` where none was given.
 *
 * @throws {UsageError} it is neither.
 */
export function instantOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const backMs = parseDuration(text);
  const atMs = backMs === undefined ? Date.parse(text) : systemClock.nowMs() - backMs;
  if (Number.isNaN(atMs)) throw new UsageError(`${option} ${text}: write 2h, 7d or 2026-11-24T00:00:00Z`);
  return atMs;
}

/** Runs what reads a log; why it cannot becomes the command's sentence. */
export async function orFailed<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof NoProof ? new CommandFailed(error.message) : error;
  }
}
