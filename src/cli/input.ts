import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { parseDocument } from 'yaml';
import { CommandFailed, UsageError } from './client.ts';
import type { CommandContext } from './session.ts';

/** A file that the command line names. @throws {CommandFailed} it cannot be read. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandFailed(`cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** One line; the end of line that `echo` adds is no part of the password. */
export async function readPassword(context: CommandContext): Promise<string> {
  const password = (await context.readInput()).replace(/\r?\n$/, '');
  if (password === '') throw new CommandFailed('standard input held no password');
  return password;
}

/** An option's instant, as the API writes it. */
export function parseInstant(text: string): string {
  const atMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) throw new InvalidArgumentError('Write a UTC instant: 2026-12-31T00:00:00Z.');
  return new Date(atMs).toISOString();
}

/** `team/app:1.4`, `team/app@sha256:…` or `team/app`. */
export function splitImage(image: string): {
  readonly repository: string;
  readonly reference: string | undefined;
} {
  const at = image.indexOf('@');
  if (at >= 0) return { repository: image.slice(0, at), reference: image.slice(at + 1) };
  const colon = image.lastIndexOf(':');
  return colon < 0
    ? { repository: image, reference: undefined }
    : { repository: image.slice(0, colon), reference: image.slice(colon + 1) };
}

/** The same where a tag or digest is needed. @throws {UsageError} there is none. */
export function imageOf(name: string): { readonly repository: string; readonly reference: string } {
  const { repository, reference } = splitImage(name);
  if (reference === undefined) throw new UsageError(`${name} names no tag or digest: write ${name}:TAG`);
  return { repository, reference };
}

/**
 * A YAML file with one object.
 *
 * @param input what is read in place of the file.
 * @param beginning how such a file begins, for the message.
 * @throws {CommandFailed} the file cannot be read, is no YAML (with line and column), or is no object.
 */
export function readYaml(file: string, input: string | undefined, beginning: string): unknown {
  const document = parseDocument(input ?? readText(file), { prettyErrors: true });
  const problem = document.errors[0];
  if (problem) throw new CommandFailed(`${file}: ${problem.message.trim()}`);
  const value = readValue(document, file);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new CommandFailed(`${file}: must begin with ${beginning}`);
}

function readValue(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Aliases that stand for nothing, or for too much.
    throw new CommandFailed(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}
