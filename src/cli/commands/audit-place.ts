import { join, resolve } from 'node:path';
import type { Command } from 'commander';
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

/** Finds the log that the options name: the server's own, or a copy. */
export function locate(options: LogOptions, command: Command): LogPlace {
  const { data, json } = command.optsWithGlobals<{ data?: string; json?: boolean }>();
  const directory = resolve(options.log ?? join(data ?? 'data', 'audit'));
  const publicKey = readText(options.publicKey ?? join(directory, 'log', 'key.pub'));
  return { directory, publicKey, isJson: json === true };
}
