import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';

/** What every client takes; docker-registry gives an OCI manifest only to who names the type. */
export const ACCEPT = 'application/vnd.oci.image.manifest.v1+json, */*';

/**
 * Runs one of the bench's own clients in a process of its own, so that nothing else delays it.
 *
 * @param program its file in this folder; it reads JSON from standard input and prints numbers as JSON.
 * @throws {Error} with what it said, when it failed.
 */
export async function runClient(
  program: string,
  input: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, number>>> {
  const child = spawn(process.execPath, [join(import.meta.dirname, program)], { stdio: 'pipe' });
  const said = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  child.stdin.on('error', () => {});
  child.stdin.end(JSON.stringify(input));
  const [output, errors, [code]] = await said;
  if (code !== 0) throw new Error(`${program}: ${errors}`);
  const numbers: Record<string, number> = JSON.parse(output);
  return numbers;
}

/** What `runClient` gave this process. */
export async function readInput(): Promise<Readonly<Record<string, unknown>>> {
  const input: unknown = await json(process.stdin);
  if (typeof input !== 'object' || input === null) throw new Error('no input');
  return { ...input };
}
