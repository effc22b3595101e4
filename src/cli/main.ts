import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { StartError } from '../base/index.ts';
import { CommandFailed, UsageError } from './client.ts';
import { plainLines, processOutput } from './output.ts';
import { createProgram } from './program.ts';
import type { CommandContext } from './session.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

async function main(): Promise<void> {
  endWithReader();
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const context: CommandContext = { env: process.env, output: processOutput, readInput };
  try {
    await createProgram(version, context).parseAsync(process.argv);
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** `dockgate audit search | head`: whoever reads has seen enough. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** @returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Help and version end this way, too.
    return error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
  if (error instanceof UsageError) {
    processOutput.note(`dockgate: ${plainLines(error.message)} (try --help)`);
    return EXIT_USAGE;
  }
  if (error instanceof CommandFailed || error instanceof StartError) {
    processOutput.note(`dockgate: ${plainLines(error.message)}`);
    return EXIT_FAILED;
  }
  processOutput.note(`dockgate: unexpected error: ${error instanceof Error ? error.stack : String(error)}`);
  return EXIT_FAILED;
}

await main();
