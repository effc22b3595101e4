import { accessSync, constants, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const LIST = join(import.meta.dirname, '..', 'go-programs');
const CACHE = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');

/**
 * Where `test/setup.sh` keeps a program that it builds from its Go module.
 *
 * @param name the first word of its line in `test/go-programs`.
 * @throws {Error} the list has no such line.
 */
export function goProgram(name: string): string {
  for (const line of readFileSync(LIST, 'utf8').split('\n')) {
    const [listed, , version] = line.split(' ');
    if (listed === name) return join(CACHE, 'dockgate', `${name}-${version}`);
  }
  throw new Error(`test/go-programs has no line for ${name}`);
}

/** Skips the tests of this context, and says so, where the program has not been built. */
export function skipWithoutGoProgram(hook: { skip(): void }, name: string): void {
  const program = goProgram(name);
  try {
    accessSync(program, constants.X_OK);
  } catch {
    console.log(`SKIPPED: ${program} is not there; test/setup.sh --all builds it where Go is installed`);
    hook.skip();
  }
}
