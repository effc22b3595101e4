import { spawn } from 'node:child_process';

/** Whether a browser of this person can be opened from here. */
export function hasBrowser(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): boolean {
  if (env.BROWSER) return true;
  // Over SSH the browser would open at the far end, or nowhere.
  if (env.SSH_CONNECTION || env.SSH_TTY) return false;
  return platform === 'darwin' || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY);
}

/** Not waited for: the address is printed as well. */
export function openBrowser(url: string, env: NodeJS.ProcessEnv, platform: NodeJS.Platform): void {
  const program = env.BROWSER || (platform === 'darwin' ? 'open' : 'xdg-open');
  const child = spawn(program, [url], { stdio: 'ignore', detached: true, env });
  child.once('error', () => {});
  child.unref();
}
