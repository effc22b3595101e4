import { CommandFailed, UsageError } from '../../src/cli/client.ts';
import { createProgram } from '../../src/cli/program.ts';

export interface CliResult {
  readonly code: 0 | 1 | 2;
  readonly stdout: string;
  /** What the command said besides, and the sentence it ended with. */
  readonly stderr: string;
}

/** Runs a command within this process, which takes milliseconds; exit codes are those of main.ts. */
export async function runHere(args: readonly string[]): Promise<CliResult> {
  const [lines, notes]: [string[], string[]] = [[], []];
  const output = { line: (text: string) => lines.push(text), note: (text: string) => notes.push(text) };
  const result = (code: CliResult['code']): CliResult => ({
    code,
    stdout: lines.map((line) => `${line}\n`).join(''),
    stderr: notes.join('\n'),
  });
  try {
    const program = createProgram('0', { env: {}, output, readInput: async () => '' });
    await program.parseAsync(args, { from: 'user' });
    return result(0);
  } catch (error) {
    if (!(error instanceof CommandFailed || error instanceof UsageError)) throw error;
    notes.push(error.message);
    return result(error instanceof UsageError ? 2 : 1);
  }
}
