import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MiB } from '../../src/base/index.ts';
import { cleanEnvironment, type Dockgate, runCli, startDockgate } from '../support/dockgate.ts';
import { freePort } from '../support/free-port.ts';
import { buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';
import { until } from '../support/until.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const PASSWORD = 'correct-horse-battery-9';

/** Processes that were started in the folder and still live there. */
function processesIn(folder: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`) === folder;
      } catch {
        // It ended meanwhile, or is not ours.
        return false;
      }
    })
    .map(Number);
}

describe('a start that cannot succeed', function () {
  this.timeout(120_000);
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dockgate-start-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  interface Given {
    readonly config?: string;
    readonly args?: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
  }

  /** Starts a server that must end by itself, with exit code 1 and nobody left behind. */
  async function fail({ config, args = [], environment = {} }: Given): Promise<string> {
    if (config !== undefined) writeFileSync(join(folder, 'dockgate.yaml'), config);
    const { code, stdout, stderr } = await runCli(
      [
        ...['--data', 'data', 'serve', '--certs', 'certs', '--workers', '2'],
        ...['--port', String(await freePort()), '--ops-port', String(await freePort())],
        ...(config === undefined ? [] : ['--config', 'dockgate.yaml']),
        ...args,
      ],
      { cwd: folder, environment },
    );
    assert.equal(code, 1, stderr);
    assert.doesNotMatch(stdout, /ready/);
    await until(() => processesIn(folder).length === 0, 'no process is left behind');
    assert.doesNotMatch(stderr, /\n {4}at /, 'no stack');
    assert.doesNotMatch(stderr, /is started again/, 'F-26: nothing is tried again');
    const told = stderr.split('\n').filter((line) => line.startsWith('dockgate: '));
    assert.equal(told.length, 1, `told once: ${stderr}`);
    return stderr.slice(stderr.indexOf('dockgate: '));
  }

  const cases: readonly (Given & { readonly what: string; readonly told: RegExp })[] = [
    { what: 'broken YAML', config: 'port: 8443\nupstreams: [\n', told: /dockgate\.yaml:[23]:\d+: / },
    {
      what: 'an unknown key',
      config: 'port: 8443\ntoken:\n  lifetme: 5m\n',
      told: /dockgate\.yaml:3:3: token\.lifetme: .*lifetime/,
    },
    {
      what: 'a value that is not allowed',
      config: 'logLevel: loud\n',
      told: /dockgate\.yaml:1:11: logLevel: .*debug.*info.*warn.*error/,
    },
    {
      what: 'S-15: a key that could reach a prototype',
      config: '__proto__:\n  isAdmin: true\n',
      told: /__proto__/,
    },
    {
      what: 'an unknown key of a policy',
      config: 'policies:\n  - name: x\n    match: ["**"]\n    rules: { secret: block }\n',
      told: /dockgate\.yaml:4:\d+: policies\[0\]\.rules.*secret.*allowed/,
    },
    {
      what: 'a configuration that is not there',
      args: ['--config', 'nothing.yaml'],
      told: /nothing\.yaml: cannot be read/,
    },
    { what: 'an unknown --set', args: ['--set', 'prot=1'], told: /--set prot: there is no such key/ },
    { what: 'a port that is none', args: ['--port', '99999'], told: /--port: port: / },
    {
      what: 'an unknown variable of ours',
      environment: { DOCKGATE_PROT: '1' },
      told: /DOCKGATE_PROT: there is no such key/,
    },
    {
      what: 'P-19: certificates that are not checked',
      environment: { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
      told: /NODE_TLS_REJECT_UNAUTHORIZED certificates of upstreams.*unset it/,
    },
    {
      what: 'C-17: a weak password for the first admin, which is not repeated',
      environment: { DOCKGATE_ADMIN_PASSWORD: 'password1' },
      told: /adminPassword \(DOCKGATE_ADMIN_PASSWORD\): the password needs at least 10 characters\n$/,
    },
    {
      what: 'an upstream certificate that cannot be read',
      config: 'upstreams:\n  - { url: "https://127.0.0.1:1", caFile: nothing.crt }\n',
      told: /dockgate\.yaml:2:\d+: upstreams\[0\]\.caFile: .*nothing\.crt cannot be read/,
    },
  ];
  for (const { what, told, ...given } of cases) {
    it(`says what to mend: ${what}`, async () => {
      assert.match(await fail(given), told);
    });
  }

  it('says that the port is taken, and by which option to choose another', async () => {
    const taken = createServer().listen(0, '::');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    try {
      const told = await fail({ args: ['--port', port] });
      assert.match(
        told,
        new RegExp(`port ${port} cannot be listened on: another process listens there.*--port`),
      );
      const ops = await fail({ args: ['--ops-port', port, '--ops-listen', `127.0.0.1:${port}`] });
      assert.match(ops, new RegExp(`127\\.0\\.0\\.1:${port} .* cannot be listened on: .*--ops-port`));
    } finally {
      taken.close();
    }
  });

  it('says that the path of the data is too long for its sockets', async () => {
    const told = await fail({ args: ['--data', join(folder, 'd'.repeat(100))] });
    assert.match(told, /the path is too long .*--data/);
  });

  describe('on data that were used before', () => {
    let server: Dockgate;
    before(async () => {
      server = await startDockgate({ workers: 1 });
    });
    after(() => server.remove());

    const failOn = (name: string) =>
      fail({
        args: ['--data', name === 'data' ? server.data : 'data', '--certs', join(server.directory, 'certs')],
      });

    it('A-18: says that another server has them, which goes on', async () => {
      const told = await failOn('data');
      assert.match(told, /(lock|in use|another)/i);
      assert.equal((await server.request('/v2/')).status, 401);
      assert.match(await server.run(['status']), /access log: writable/);
    });

    it('S-02: names a key that is garbage or open to others, and makes no other', async () => {
      await server.stop();
      const key = join(server.data, 'keys/log.pem');
      const good = readFileSync(key);
      writeFileSync(key, 'garbage');
      assert.match(await failOn('data'), /keys\/log\.pem/);
      assert.equal(readFileSync(key, 'utf8'), 'garbage');
      writeFileSync(key, good);
      chmodSync(key, 0o644);
      assert.match(await failOn('data'), /keys\/log\.pem: others than its owner may read it; run: chmod 600/);
      chmodSync(key, 0o600);
    });

    it('names a certificate that cannot be read', async () => {
      const certificate = join(server.directory, 'certs/server.crt');
      const good = readFileSync(certificate);
      writeFileSync(certificate, 'garbage');
      assert.match(await failOn('certs'), /server\.crt/);
      writeFileSync(certificate, good);
    });

    it('F-14: names a database that is damaged', async () => {
      const database = join(server.data, 'dockgate.db');
      const good = readFileSync(database);
      writeFileSync(database, Buffer.concat([Buffer.alloc(4096, 0x41), good.subarray(4096)]));
      assert.match(await failOn('data'), /dockgate\.db.*backup/s);
      writeFileSync(database, good);
    });
  });
});

describe('a first start', function () {
  this.timeout(120_000);

  it('S-01: makes everything private, whatever the umask', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dockgate-umask-'));
    const child = await launch(folder, 'umask 000');
    try {
      for (const path of allIn(join(folder, 'data'))) {
        const { mode } = statSync(path);
        assert.equal(mode & 0o077, 0, `${path} ${(mode & 0o777).toString(8)}`);
      }
      for (const name of ['ca.key', 'server.key']) {
        assert.equal(statSync(join(folder, 'certs', name)).mode & 0o777, 0o600);
      }
    } finally {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("takes the operator's password, prints and keeps none, and makes no second admin", async () => {
    const environment = { DOCKGATE_ADMIN_PASSWORD: PASSWORD };
    let server = await startDockgate({ workers: 1, environment });
    try {
      assert.equal((await server.request('/v2/', { basic: `admin:${PASSWORD}` })).status, 200);
      assert.equal(server.output().includes(PASSWORD), false);
      assert.deepEqual(
        readdirSync(server.data).filter((name) => name === 'admin-password'),
        [],
      );
      await server.stop();
      const { directory, port } = server;
      const other = { DOCKGATE_ADMIN_PASSWORD: 'another-horse-battery-9' };
      server = await startDockgate({ workers: 1, directory, port, environment: other });
      assert.equal((await server.request('/v2/', { basic: `admin:${PASSWORD}` })).status, 200);
    } finally {
      await server.remove();
    }
  });

  it('C-17: takes a first password that can be guessed, since the operator could set any, and says so', async () => {
    const guessable = 'admin-password';
    const environment = { DOCKGATE_ADMIN_PASSWORD: guessable };
    const server = await startDockgate({ workers: 1, environment });
    try {
      assert.equal((await server.request('/v2/', { basic: `admin:${guessable}` })).status, 200);
      assert.match(
        server.output(),
        /adminPassword \(DOCKGATE_ADMIN_PASSWORD\): .*it is taken because the operator gave it/,
      );
      assert.equal(server.output().includes(guessable), false);
    } finally {
      await server.remove();
    }
  });

  it('prints the generated password once, keeps it until it is changed, and then forgets it at once', async () => {
    let server = await startDockgate({ workers: 1 });
    try {
      const { adminPassword, directory, port, data } = server;
      assert.ok(server.output().includes(adminPassword));
      assert.equal((await server.request('/v2/', { basic: `admin:${adminPassword}` })).status, 200);
      await server.stop();
      server = await startDockgate({ workers: 1, directory, port });
      assert.equal(server.output().includes(adminPassword), false);
      assert.ok(readdirSync(data).includes('admin-password'));
      await server.run(['user', 'add', 'somebody', '--password-stdin'], PASSWORD);
      assert.ok(readdirSync(data).includes('admin-password'), 'another change is none');
      await server.run(['user', 'passwd', 'admin', '--password-stdin'], PASSWORD);
      await until(() => !readdirSync(data).includes('admin-password'), 'the kept password is gone');
    } finally {
      await server.remove();
    }
  });

  it('takes a free port for --port 0 and says which', async () => {
    const server = await startDockgate({ workers: 1, port: 0 });
    try {
      assert.match(server.output(), /^ready https:\/\/localhost:[1-9]\d+$/m);
    } finally {
      await server.remove();
    }
  });

  it('keeps the database where it is told to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dockgate-db-'));
    const path = join(folder, 'elsewhere.db');
    const server = await startDockgate({ workers: 1, config: `database:\n  url: "sqlite:${path}"\n` });
    try {
      await server.run(['user', 'list']);
      assert.ok(statSync(path).size > 0);
      assert.equal(readdirSync(server.data).includes('dockgate.db'), false);
    } finally {
      await server.remove();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('F-50: a server that is told to end', function () {
  // Longer than what it waits for may take together, so that what it missed is said.
  this.timeout(300_000);

  it('is not ready at once, lets a transfer end, takes no new connection, and exits 0', async () => {
    const server = await startDockgate({ workers: 2, config: 'limits: { drain: 10m }\n' });
    try {
      await server.addUser('alice', PASSWORD, ['developer', '**']);
      await server.run(
        ['policy', 'apply', '-f', '-'],
        'policies:\n  - { name: default, match: ["**"], mode: off, rules: { secrets: block } }\n',
      );
      const bytes = 64 * MiB;
      const image = await buildImage({ layers: [[{ path: 'big', data: randomText(bytes) }]] });
      await createPusher(server, `alice:${PASSWORD}`).push('team/big', image, '1');
      const layer = image.layers[0];
      const response = await open(server, `/v2/team/big/blobs/${layer?.digest}`);
      response.pause();
      const child = once(response, 'close');
      process.kill(server.pid, 'SIGTERM');
      await until(async () => (await readiness(server.opsPort)) === 503, 'readyz is red');
      await until(async () => isRefused(server), 'new connections are refused');
      let received = 0;
      response.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      response.resume();
      await child;
      assert.equal(received, layer?.bytes.length);
      // Long before the limit: what it waited for was the transfer.
      await until(() => processesIn(server.directory).length === 0, 'every process has ended');
      assert.match(server.output(), /stopping: transfers under way may end/);
      const verified = await server.cli(['audit', 'verify']);
      assert.deepEqual([verified.code, verified.stderr], [0, '']);
    } finally {
      await server.remove();
    }
  });

  it('exits 0 on SIGTERM and on SIGINT, with clients connected that keep silent', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const folder = mkdtempSync(join(tmpdir(), 'dockgate-end-'));
      const child = await launch(folder, ':');
      assert.equal(await end(child, signal), 0);
      await until(() => processesIn(folder).length === 0, 'no process is left behind');
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('takes its workers and its housekeeping process with it when it is killed', async () => {
    const server = await startDockgate({ workers: 2 });
    process.kill(server.pid, 'SIGKILL');
    await until(() => processesIn(server.directory).length === 0, 'the children have ended');
    await server.remove();
  });
});

function randomText(bytes: number): Buffer {
  const block = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 4) block.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
  return block;
}

function open(server: Dockgate, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      ...{ host: 'localhost', port: server.port, ca: server.ca, path, auth: `alice:${PASSWORD}` },
      // Kept alive by the client: that must not keep the server alive.
      agent: new Agent({ keepAlive: true }),
    });
    request.once('response', resolve);
    request.once('error', reject);
    request.end();
  });
}

function readiness(port: number): Promise<number> {
  return new Promise((resolve) => {
    const request = httpRequest({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.once('error', () => resolve(0));
    request.end();
  });
}

async function isRefused(server: Dockgate): Promise<boolean> {
  return server.request('/v2/').then(
    () => false,
    () => true,
  );
}

/** Starts a server by a shell that runs `first`, and waits until it serves. */
async function launch(folder: string, first: string): Promise<ChildProcess> {
  const args = [
    ...['--data', 'data', 'serve', '--certs', 'certs', '--workers', '1'],
    ...['--port', String(await freePort()), '--ops-port', String(await freePort())],
  ];
  const child = spawn('sh', ['-c', `${first}; exec "$0" "$@"`, process.execPath, MAIN, ...args], {
    cwd: folder,
    env: { ...cleanEnvironment(), HOME: folder },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await until(() => /^ready /m.test(output) || child.exitCode !== null, 'the server is ready or has ended');
  assert.equal(child.exitCode, null);
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
  return child.exitCode;
}

function allIn(directory: string): readonly string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return [directory, ...names.map((name) => join(directory, name))];
}
