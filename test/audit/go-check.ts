import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const BUILD_MS_MAX = 120_000;

/** The check in test/audit/go, built: it shares no code with dockgate. */
export interface GoCheck {
  /** What it printed, after `good: ` or `bad: `. */
  run(...args: readonly string[]): Promise<{ readonly isGood: boolean; readonly said: string }>;
  end(): Promise<void>;
}

/**
 * Builds the check, or another program of ours.
 *
 * @param cwd where its source is.
 * @returns why it could not be built where Go or its module is not there.
 */
export async function buildGoCheck(cwd = join(import.meta.dirname, 'go')): Promise<GoCheck | string> {
  const directory = await mkdtemp(join(tmpdir(), 'dockgate-go-'));
  const binary = join(directory, 'audit-check');
  try {
    await run('go', ['build', '-o', binary, '.'], { cwd, timeout: BUILD_MS_MAX });
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    return `go build: ${error instanceof Error ? error.message : error}`;
  }
  return {
    async run(...args) {
      // Not a failure of the run but what it says: the log is bad.
      const { stdout, stderr } = await run(binary, args).catch(
        (error: { stdout: string; stderr: string }) => error,
      );
      const isGood = stdout.startsWith('good: ');
      return { isGood, said: (isGood ? stdout : stderr).replace(/^(good|bad): /, '').trim() };
    },
    end: () => rm(directory, { recursive: true, force: true }),
  };
}
