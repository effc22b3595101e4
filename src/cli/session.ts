import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join, resolve } from 'node:path';
import { type Client, CommandFailed, createClient } from './client.ts';
import type { Output } from './output.ts';
import { readSignIn, type StoredSignIn } from './sign-in.ts';
import type { Target } from './transport.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly data?: string;
  readonly json?: boolean;
}

/** What a command works with; `close` ends what was opened for it. */
export interface Session {
  readonly client: Client;
  readonly close: () => Promise<void>;
}

export interface CommandContext {
  readonly env: NodeJS.ProcessEnv;
  readonly output: Output;
  /** Text given on standard input, read when a command asks for it. */
  readonly readInput: () => Promise<string>;
}

const DEFAULT_DATA = 'data';

/**
 * Finds the API: `--data DIR` speaks to the server that runs on that data over its Unix socket, or opens the data
 * itself when none runs; without it the stored sign-in decides, and last a `data` folder right here.
 *
 * @throws {CommandFailed} there is nothing to speak to; the message says what to do.
 */
export async function openSession(options: GlobalOptions, context: CommandContext): Promise<Session> {
  const signIn = options.data === undefined ? readSignIn(context.env) : undefined;
  if (signIn) return { client: createClient(signInTarget(signIn)), close: async () => {} };
  const directory = resolve(options.data ?? DEFAULT_DATA);
  if (!existsSync(join(directory, 'audit-index.db'))) {
    throw new CommandFailed(
      `there is no dockgate data in ${directory}: start the server there first, name its data with --data DIR, ` +
        'or sign in to a server with `dockgate login URL`',
    );
  }
  const socketPath = join(directory, 'dockgate.sock');
  if (await answers(socketPath)) {
    return { client: createClient({ kind: 'socket', path: socketPath }), close: async () => {} };
  }
  // Loaded only here: it brings the whole server along, and most commands find one that runs.
  const { openLocalApi } = await import('../app/index.ts');
  const local = await openLocalApi(directory, context.env);
  return { client: createClient({ kind: 'socket', path: local.socketPath }), close: local.close };
}

/**
 * Finds the API of a server that runs, never opening its data: what stays connected for long must not keep the next
 * start of the server out.
 *
 * @throws {CommandFailed} none runs on the data.
 */
export async function openRunningServer(options: GlobalOptions, { env }: CommandContext): Promise<Client> {
  const signIn = options.data === undefined ? readSignIn(env) : undefined;
  if (signIn) return createClient(signInTarget(signIn));
  const path = join(resolve(options.data ?? DEFAULT_DATA), 'dockgate.sock');
  if (await answers(path)) return createClient({ kind: 'socket', path });
  throw new CommandFailed(
    `no server answers at ${path}: start it, or sign in to one with \`dockgate login URL\``,
  );
}

export function signInTarget({ server, refreshToken, ca }: StoredSignIn): Target {
  return {
    kind: 'server',
    url: server,
    authorization: `Bearer ${refreshToken}`,
    ...(ca === undefined ? {} : { ca }),
  };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
