import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as passing } from 'node:timers/promises';
import type { Command } from 'commander';
import { keyPathsOf, loadOrCreateLogKey } from '../../audit/index.ts';
import { CommandFailed } from '../client.ts';
import { readText } from '../input.ts';
import type { CommandContext } from '../session.ts';

/** How often and how long it is looked whether the server has taken the new key. */
const LOOK_MS = 200;
const LOOKS = 100;

/** `audit rotate-key`. */
export function addKeyCommand(audit: Command, context: CommandContext): void {
  audit
    .command('rotate-key')
    .description(
      'give the access log a new key: the old one signs for it, and who knows that is led to the new one',
    )
    .addHelpText(
      'after',
      '\nRun it on the server, as the user that the server runs as. The server takes the key within a second, or at its' +
        '\nnext start; the old private key is gone then. Give auditors the new `key.pub`: one that was stolen before' +
        '\ncan no longer sign, but only who has the new one is safe from whoever holds the old one.',
    )
    .action((_options: unknown, command: Command) => rotate(command, context));
}

async function rotate(command: Command, { output }: CommandContext): Promise<void> {
  const data = resolve(command.optsWithGlobals<{ data?: string }>().data ?? 'data');
  const { current, next } = keyPathsOf(join(data, 'keys', 'log.pem'));
  const publicFile = join(data, 'audit', 'log', 'key.pub');
  if (!existsSync(current) || !existsSync(publicFile)) {
    throw new CommandFailed(
      `${data} holds no access log with its key: name the data of the server with --data DIR`,
    );
  }
  if (existsSync(next)) throw new CommandFailed(`${next} waits already for the server to take it`);
  const before = readText(publicFile);
  await loadOrCreateLogKey(next);
  for (let look = 0; look < LOOKS && existsSync(join(data, 'dockgate.sock')); look += 1) {
    const now = readText(publicFile);
    if (now !== before) return output.line(now.trim());
    await passing(LOOK_MS);
  }
  output.note('the new key is there; the server takes it at its next start');
}
