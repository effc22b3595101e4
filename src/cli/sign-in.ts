import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { isErrorWithCode, StartError } from '../base/index.ts';

/** What `dockgate login` keeps: a refresh token that an admin can revoke, never a password. */
export interface StoredSignIn {
  readonly server: string;
  readonly user: string;
  readonly refreshToken: string;
  /** PEM of the CA to trust. */
  readonly ca?: string;
}

/** `$XDG_CONFIG_HOME/dockgate/sign-in.json`, or the same below `~/.config`. */
function pathOf(env: NodeJS.ProcessEnv): string {
  // An empty variable counts as none (XDG Base Directory Specification).
  return join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'dockgate', 'sign-in.json');
}

/** @throws {StartError} the file is there and cannot be read. */
export function readSignIn(env: NodeJS.ProcessEnv): StoredSignIn | undefined {
  const path = pathOf(env);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrorWithCode(error, 'ENOENT')) return undefined;
    throw new StartError(`cannot read ${path}: mend its rights, or sign in again with \`dockgate login\``);
  }
  const signIn = parseSignIn(text);
  if (!signIn) throw new StartError(`${path} is damaged: sign in again with \`dockgate login\``);
  return signIn;
}

function parseSignIn(text: string): StoredSignIn | undefined {
  try {
    const { server, user, refreshToken, ca } = JSON.parse(text);
    const isWhole = [server, user, refreshToken, ca ?? ''].every((member) => typeof member === 'string');
    return isWhole && URL.canParse(server)
      ? { server, user, refreshToken, ...(ca === undefined ? {} : { ca }) }
      : undefined;
  } catch {
    // Not JSON, or no object: the caller says what to do.
    return undefined;
  }
}

/** @throws {StartError} the file cannot be written. */
export function storeSignIn(env: NodeJS.ProcessEnv, signIn: StoredSignIn): void {
  const path = pathOf(env);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Removed first, so that the mode below holds for a file that was there with another.
    rmSync(path, { force: true });
    writeFileSync(path, `${JSON.stringify(signIn, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw new StartError(`cannot keep the sign-in: ${error instanceof Error ? error.message : error}`);
  }
}

export function forgetSignIn(env: NodeJS.ProcessEnv): void {
  rmSync(pathOf(env), { force: true });
}
