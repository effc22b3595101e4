import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';

/** The account of a registry started with `htpasswd: REGISTRY_ACCOUNT.line`. */
export const REGISTRY_ACCOUNT = {
  username: 'gate',
  password: 'upstream-password',
  line: 'gate:$2y$05$ajzFQCV5vW8ect2JwwNWSuLRgLztKb7U3bAJkn8Ex7GzBCUoAsUYq',
} as const;

export interface DockerRegistryOptions {
  /** Another build of the same program; by default the system's `docker-registry`, 2.8. */
  readonly program?: string;
  /** PEM texts. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Lines of an htpasswd file (bcrypt): the registry then asks for Basic. */
  readonly htpasswd?: string;
  /** The registry then asks for tokens of this realm, signed by a key of the bundle (PEM certificates). */
  readonly token?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly certificates: string;
    /** A JSON Web Key Set in place of the bundle, which version 3 reads. */
    readonly jwks?: string;
  };
  /** Where it appends a line for each request, as Apache does; nowhere unless said. */
  readonly accessLog?: string;
  /** Paths instead of whole addresses in Location. */
  readonly relativeUrls?: boolean;
  readonly isDeleteEnabled?: boolean;
  /** It then remembers sizes of blobs in memory, as its packages configure it. */
  readonly remembersBlobs?: boolean;
}

export interface DockerRegistry {
  /** `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT`. */
  readonly url: string;
  readonly pid: number;
  /** Ends the process and removes its files. */
  stop(): Promise<void>;
}

const START_MS_MAX = 60_000;

/**
 * Starts a real `docker-registry` process on a free loopback port, its files below the temporary directory.
 */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'dockgate-registry-'));
  // Another process may take the free port before the registry listens on it: then once more with another.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(folder, options);
    } catch (error) {
      if (attempt < 3) continue;
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }
}

async function startOnce(folder: string, options: DockerRegistryOptions): Promise<DockerRegistry> {
  const port = await freePort();
  const configFile = join(folder, 'registry.json');
  // YAML reads JSON, which needs no care with quoting.
  await writeFile(configFile, JSON.stringify(await registryConfig(folder, port, options)));
  const program = options.program ?? 'docker-registry';
  // Version 3 would look for a collector of traces.
  const env = { ...process.env, OTEL_TRACES_EXPORTER: 'none' };
  const said = options.accessLog === undefined ? 'ignore' : openSync(options.accessLog, 'a');
  const child = spawn(program, ['serve', configFile], { env, stdio: ['ignore', said, 'pipe'] });
  if (said !== 'ignore') closeSync(said);
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4000);
  });
  child.on('error', (error) => {
    output += String(error);
  });
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  if (!(await waitUntilAnswering(url, child))) {
    await end(child);
    process.removeListener('exit', killAtExit);
    throw new Error(`${program} did not start on port ${port}: ${output}`);
  }
  return {
    url,
    pid: child.pid ?? 0,
    async stop() {
      await end(child);
      process.removeListener('exit', killAtExit);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function registryConfig(folder: string, port: number, options: DockerRegistryOptions) {
  const files = {
    certificate: join(folder, 'tls.crt'),
    key: join(folder, 'tls.key'),
    htpasswd: join(folder, 'htpasswd'),
    bundle: join(folder, 'token.crt'),
    jwks: join(folder, 'token.jwks'),
  };
  if (options.tls) {
    await writeFile(files.certificate, options.tls.certificate);
    await writeFile(files.key, options.tls.key, { mode: 0o600 });
  }
  if (options.htpasswd) await writeFile(files.htpasswd, `${options.htpasswd}\n`);
  if (options.token) await writeFile(files.bundle, options.token.certificates);
  if (options.token?.jwks !== undefined) await writeFile(files.jwks, options.token.jwks);
  const token = options.token && {
    realm: options.token.realm,
    service: options.token.service,
    issuer: options.token.issuer,
    ...(options.token.jwks === undefined ? { rootcertbundle: files.bundle } : { jwks: files.jwks }),
  };
  return {
    version: '0.1',
    log: { level: 'warn', accesslog: { disabled: options.accessLog === undefined } },
    storage: {
      filesystem: { rootdirectory: join(folder, 'storage') },
      delete: { enabled: options.isDeleteEnabled ?? true },
      ...(options.remembersBlobs ? { cache: { blobdescriptor: 'inmemory' } } : {}),
    },
    http: {
      addr: `127.0.0.1:${port}`,
      secret: 'a secret shared by nobody',
      relativeurls: options.relativeUrls ?? false,
      ...(options.tls ? { tls: { certificate: files.certificate, key: files.key } } : {}),
    },
    ...(options.htpasswd ? { auth: { htpasswd: { realm: 'registry', path: files.htpasswd } } } : {}),
    ...(token ? { auth: { token } } : {}),
  };
}

async function waitUntilAnswering(url: string, child: ChildProcess): Promise<boolean> {
  const endsAt = performance.now() + START_MS_MAX;
  while (performance.now() < endsAt && child.exitCode === null && child.signalCode === null) {
    if (await answers(url)) return child.exitCode === null;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return false;
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    // Only asks whether somebody listens; who it is is checked by the test that uses it.
    const request = url.startsWith('https:')
      ? httpsRequest(`${url}/v2/`, { rejectUnauthorized: false, agent: false })
      : httpRequest(`${url}/v2/`, { agent: false });
    request.on('response', (response) => {
      response.resume();
      resolve(response.headers['docker-distribution-api-version'] !== undefined);
    });
    request.on('error', () => resolve(false));
    request.setTimeout(2000, () => request.destroy());
    request.end();
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
  await ended;
  clearTimeout(timer);
}
