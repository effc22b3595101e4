import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { freePort } from '../support/free-port.ts';
import { listens } from '../support/listens.ts';
import { until } from '../support/until.ts';

/** Skips the tests of this context, and says so, where the operator has installed no zot. */
export function skipWithoutZot(hook: { skip(): void }): void {
  try {
    execFileSync('zot', ['--version'], { stdio: 'ignore' });
  } catch {
    console.log('SKIPPED: there is no zot on the PATH');
    hook.skip();
  }
}

export interface ZotOptions {
  /** PEM texts. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** It then asks for tokens, signed by the key of the certificate (PEM). */
  readonly bearer?: { readonly realm: string; readonly service: string; readonly key: string };
}

/** Starts the `zot` of the PATH on a free loopback port, its files below the temporary directory. */
export async function startZot({ tls, bearer }: ZotOptions = {}): Promise<DockerRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'dockgate-zot-'));
  const port = await freePort();
  const config = join(folder, 'zot.json');
  const storage = { rootDirectory: join(folder, 'storage'), gc: false };
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const http = {
    ...{ address: '127.0.0.1', port: String(port), compat: ['docker2s2'] },
    ...(tls ? { tls: { cert: file('tls.crt', tls.certificate), key: file('tls.key', tls.key) } } : {}),
    ...(bearer ? { auth: { bearer: { ...named(bearer), cert: file('token.crt', bearer.key) } } } : {}),
  };
  writeFileSync(config, JSON.stringify({ storage, http, log: { level: 'error' } }));
  const child = spawn('zot', ['serve', config], { stdio: 'ignore' });
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  await until(() => isReady(port, child), `zot listens on port ${port}`);
  return {
    url,
    pid: child.pid ?? 0,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function named({ realm, service }: { readonly realm: string; readonly service: string }) {
  return { realm, service };
}

async function isReady(port: number, { exitCode }: ChildProcess): Promise<boolean> {
  if (exitCode !== null) throw new Error(`zot ended with ${exitCode}`);
  return listens(port);
}
