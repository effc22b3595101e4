import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { watchSecrets } from './secret-watch.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MAIN = join(ROOT, 'src/cli/main.ts');
const READY_MS_MAX = 90_000;

export interface DockgateOptions {
  /** Text of config/dockgate.yaml. */
  readonly config?: string;
  readonly workers?: number;
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** An earlier server's folder, to start again on its data. */
  readonly directory?: string;
  readonly port?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly text: string;
  json(): Record<string, unknown>;
}

export interface HttpOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** `user:password` for Basic. */
  readonly basic?: string;
  readonly token?: string;
}

/** A real server: all its processes, on free ports, in a folder of its own. */
export interface Dockgate {
  /** `localhost:PORT` */
  readonly host: string;
  readonly port: number;
  readonly opsPort: number;
  readonly url: string;
  readonly directory: string;
  readonly data: string;
  readonly caPath: string;
  readonly ca: string;
  readonly adminPassword: string;
  /** Standard output and error so far. */
  output(): string;
  request(path: string, options?: HttpOptions): Promise<HttpAnswer>;
  /** A token of the token endpoint. */
  token(basic: string, ...scopes: readonly string[]): Promise<string>;
  /** Runs the CLI on this server's data. */
  cli(
    args: readonly string[],
    input?: string,
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  /** The same, which must succeed; standard output. */
  run(args: readonly string[], input?: string): Promise<string>;
  addUser(
    name: string,
    password: string,
    ...grants: readonly (readonly [role: string, pattern: string])[]
  ): Promise<void>;
  /** Process ids of the workers. */
  workers(): Promise<readonly number[]>;
  /** Of the primary. */
  readonly pid: number;
  /** Ends it in order; the folder stays for `startDockgate({ directory })`. */
  stop(): Promise<void>;
  /** SIGKILL to every process of it. */
  killAll(): Promise<void>;
  /** `stop`, and the folder goes. @throws {Error} a secret that the test used is in what the server has written. */
  remove(): Promise<void>;
}

/** Starts a server and waits until it serves. */
export async function startDockgate(options: DockgateOptions = {}): Promise<Dockgate> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'dockgate-'));
  const data = join(directory, 'data');
  const port = options.port ?? (await freePort());
  const opsPort = await freePort();
  const configPath = join(directory, 'dockgate.yaml');
  writeFileSync(configPath, options.config ?? '{}\n');
  const args = [
    ...['--data', data, 'serve', '--config', configPath, '--certs', join(directory, 'certs')],
    ...['--port', String(port), '--ops-port', String(opsPort), '--workers', String(options.workers ?? 2)],
    ...(options.arguments ?? []),
  ];
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: directory,
    env: { ...cleanEnvironment(), ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = await waitUntilReady(child);
  return createHandle({ child, directory, data, port, opsPort, output });
}

/** The environment without what would change a server: proxies, certificates, Node's own options. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, LANG, TMPDIR } = process.env;
  return { PATH, HOME, LANG, ...(TMPDIR === undefined ? {} : { TMPDIR }) };
}

async function waitUntilReady(child: ChildProcess): Promise<() => string> {
  let output = '';
  child.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready in time:\n${output}`)), READY_MS_MAX);
    child.stdout?.on('data', (chunk) => {
      output += chunk;
      if (/^ready https:/m.test(output)) {
        clearTimeout(timer);
        resolve();
      }
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`ended with ${code} before it was ready:\n${output}`));
    });
  });
  return () => output;
}

interface Started {
  readonly child: ChildProcess;
  readonly directory: string;
  readonly data: string;
  readonly port: number;
  readonly opsPort: number;
  readonly output: () => string;
}

function createHandle(started: Started): Dockgate {
  const { child, directory, data, port, opsPort } = started;
  const caPath = join(directory, 'certs/ca.crt');
  const ca = readFileSync(caPath, 'utf8');
  const pid = child.pid ?? 0;
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  const adminPassword = readPassword(join(data, 'admin-password'));
  const secrets = watchSecrets();
  const request = async (path: string, options: HttpOptions = {}): Promise<HttpAnswer> => {
    const answer = await exchange({ port, ca }, path, options);
    secrets.request(options, answer);
    return answer;
  };
  const cli: Dockgate['cli'] = async (args, input) => {
    const ran = await runCli(['--data', data, ...args], {
      cwd: directory,
      ...(input === undefined ? {} : { input }),
    });
    secrets.command(input, ran.stdout);
    return ran;
  };
  const run: Dockgate['run'] = async (args, input) => {
    const { code, stdout, stderr } = await cli(args, input);
    if (code !== 0) throw new Error(`dockgate ${args.join(' ')} ended with ${code}: ${stderr}`);
    return stdout;
  };
  const stop = async (): Promise<void> => {
    if (isOver()) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  };
  return {
    ...{ directory, data, port, opsPort, caPath, ca, pid, request, cli, run, stop },
    host: `localhost:${port}`,
    url: `https://localhost:${port}`,
    adminPassword,
    output: started.output,
    async token(basic, ...scopes) {
      const query = new URLSearchParams([
        ['service', 'dockgate'],
        ...scopes.map((scope) => ['scope', scope]),
      ]);
      const answer = await request(`/token?${query}`, basic === '' ? {} : { basic });
      const { token } = answer.json();
      if (typeof token !== 'string') throw new Error(`no token: ${answer.status} ${answer.text}`);
      return token;
    },
    async addUser(name, password, ...grants) {
      await run(['user', 'add', name, '--password-stdin'], password);
      for (const [role, pattern] of grants)
        await run(['grant', 'add', '--role', role, '--on', pattern, '--user', name]);
    },
    async workers() {
      const { stdout } = await promisify(execFile)('pgrep', ['-P', String(pid), '-f', 'worker-process']);
      return stdout.trim().split('\n').map(Number);
    },
    async killAll() {
      // pgrep fails where it finds none, when all of them wait to be started again.
      const { stdout } = await promisify(execFile)('pgrep', ['-P', String(pid)]).catch(() => ({
        stdout: '',
      }));
      const ended = once(child, 'exit');
      // The primary first: it would start its children again.
      for (const one of [pid, ...stdout.split('\n').filter(Boolean).map(Number)])
        process.kill(one, 'SIGKILL');
      await ended;
    },
    async remove() {
      await stop();
      try {
        // Of every test's server: what it has written holds no secret that the test used.
        // A first start prints the first password, once, for who started it.
        secrets.look(data, started.output().replace(adminPassword, ''));
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  };
}

function readPassword(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // Given by the environment, or changed: the test knows it.
    return '';
  }
}

/** Runs the CLI as a process of its own. */
export function runCli(
  args: readonly string[],
  options: {
    readonly cwd: string;
    readonly input?: string;
    readonly environment?: Readonly<Record<string, string>>;
  },
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    const environment = { ...cleanEnvironment(), HOME: options.cwd, ...options.environment };
    const child = execFile(
      process.execPath,
      [MAIN, ...args],
      { cwd: options.cwd, env: environment, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr }),
    );
    child.stdin?.end(options.input ?? '');
  });
}

/**
 * Runs the CLI on a server's data and hands out its standard output line by line, however much it is.
 *
 * @throws {Error} it ended with another code than 0.
 */
export async function* linesOfCli(
  server: Pick<Dockgate, 'data' | 'directory'>,
  args: readonly string[],
): AsyncGenerator<string> {
  const child = spawn(process.execPath, [MAIN, '--data', server.data, ...args], {
    cwd: server.directory,
    env: { ...cleanEnvironment(), HOME: server.directory },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  yield* createInterface({ input: child.stdout });
  const [code] = await ended;
  if (code !== 0) throw new Error(`dockgate ${args.join(' ')} ended with ${code}`);
}

function exchange(
  server: { readonly port: number; readonly ca: string },
  path: string,
  options: HttpOptions,
): Promise<HttpAnswer> {
  const headers: Record<string, string> = { ...options.headers };
  if (options.basic !== undefined)
    headers.authorization = `Basic ${Buffer.from(options.basic).toString('base64')}`;
  if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`;
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: 'localhost',
        port: server.port,
        ca: server.ca,
        path,
        method: options.method ?? 'GET',
        headers,
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const body = Buffer.concat(chunks);
          const text = body.toString('utf8');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body,
            text,
            json: () => JSON.parse(text),
          });
        });
      },
    );
    request.once('error', reject);
    request.end(options.body);
  });
}
