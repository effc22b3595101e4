import { spawn } from 'node:child_process';

export interface Ran {
  readonly code: number;
  /** Standard output and error, as they came. */
  readonly output: string;
}

/** Runs a program to its end; never throws for what it says or how it ends. */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly environment?: NodeJS.ProcessEnv; readonly cwd?: string; readonly input?: string } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: options.environment ?? process.env,
      cwd: options.cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk;
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
  });
}
