import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { StartError } from '../base/index.ts';

/** What `dockgate login` keeps: a refresh token that an admin can revoke, never a password. */
export interface StoredSignIn {
  readonly server: string;
  readonly user: string;
  readonly refreshToken: string;
  readonly ca?: string;
}

/** `$XDG_CONFIG_HOME/dockgate/sign-in.json`, or the same below `~/.config`. */
function path(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'dockgate', 'sign-in.json');
}

/** @throws {StartError} the file is there and cannot be read. */
export function readSignIn(env: NodeJS.ProcessEnv): StoredSignIn | undefined {
  let text: string;
  try {
    text = readFileSync(path(env), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new StartError(`cannot read ${path(env)}: sign in again with \`dockgate login\``);
  }
  try {
    const { server, user, refreshToken, ca } = JSON.parse(text);
    return { server, user, refreshToken, ...(ca ? { ca } : {}) };
  } catch {
    throw new StartError(`${path(env)} is damaged: sign in again with \`dockgate login\``);
  }
}

export function storeSignIn(env: NodeJS.ProcessEnv, signIn: StoredSignIn): void {
  mkdirSync(dirname(path(env)), { recursive: true, mode: 0o700 });
  // Removed first, so that the mode below holds for a file that was there with another.
  rmSync(path(env), { force: true });
  writeFileSync(path(env), `${JSON.stringify(signIn, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
}

export function forgetSignIn(env: NodeJS.ProcessEnv): void {
  rmSync(path(env), { force: true });
}
