import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

const ROOT = join(import.meta.dirname, '..', '..');

describe('npm start', () => {
  let directory: string;
  let npm: ChildProcess;
  let port: number;

  before(async function () {
    this.timeout(120_000);
    directory = await mkdtemp(join(tmpdir(), 'dockgate-npm-'));
    port = await freePort();
    const places = ['--data', join(directory, 'data'), '--certs', join(directory, 'certs')];
    const ports = ['--port', String(port), '--ops-port', String(await freePort()), '--workers', '1'];
    const args = [...places, ...ports, '--config', join(ROOT, 'config', 'dockgate.example.yaml')];
    const { PATH, HOME } = process.env;
    // The worst umask there is: whatever is private must be so by itself (S-01).
    npm = spawn('/bin/sh', ['-c', 'umask 000; exec npm start -- "$@"', 'sh', ...args], {
      cwd: ROOT,
      env: { PATH, HOME },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    for await (const chunk of npm.stdout ?? []) {
      output += chunk;
      if (/^ready https:\/\/localhost:\d+$/m.test(output)) return;
    }
    assert.fail(`ended before it was ready:\n${output}`);
  });
  after(async () => {
    if (npm.exitCode === null && npm.signalCode === null) npm.kill('SIGKILL');
    await rm(directory, { recursive: true });
  });

  it('S-01: keeps keys, databases and records to their owner whatever the umask is', () => {
    const found = readdirSync(directory, { recursive: true, encoding: 'utf8', withFileTypes: true })
      .map((entry) => ({ path: join(entry.parentPath, entry.name), isDirectory: entry.isDirectory() }))
      .filter(({ path }) => !/\/certs(?:\/(?:ca|server)\.crt)?$/.test(path));
    assert.ok(found.length > 20);
    const open = found.filter(({ path }) => (lstatSync(path).mode & 0o077) !== 0);
    assert.deepEqual(
      open.map(({ path }) => path),
      [],
    );
  });

  it('ends all its processes when npm is told to end', async () => {
    const ended = once(npm, 'exit');
    npm.kill('SIGTERM');
    await ended;
    // npm does not wait for what it started; the port is free when the last process has let it go.
    await until(async () => !(await isListening(port)), 'nobody listens any more');
  });
});

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe('the ops port of a server', () => {
  let server: Dockgate;
  before(async function () {
    this.timeout(120_000);
    server = await startDockgate({ workers: 1 });
  });
  after(() => server.remove());

  const page = async (): Promise<string> =>
    (await fetch(`http://127.0.0.1:${server.opsPort}/metrics`)).text();

  it('is ready when the server says so', async () => {
    const answer = await fetch(`http://127.0.0.1:${server.opsPort}/readyz`);
    assert.deepEqual([answer.status, await answer.text()], [200, 'ok\n']);
  });

  it('counts what the workers did, without a name in any label', async () => {
    const basic = `admin:${server.adminPassword}`;
    assert.equal((await server.request('/v2/secret-team/app/manifests/1', { basic })).status, 404);
    assert.equal((await server.request('/v2/')).status, 401);
    const wanted = [
      /^dockgate_decisions_total\{action="pull",outcome="refused"\} 1$/m,
      /^dockgate_request_duration_seconds_count\{route="manifests",method="GET",status="4xx"\} 1$/m,
      /^dockgate_audit_write_duration_seconds_count [1-9]/m,
      /^dockgate_audit_write_failures_total 0$/m,
      /^dockgate_scan_queue 0$/m,
    ];
    let text = '';
    // Workers report every few seconds.
    await until(async () => {
      text = await page();
      return wanted.every((line) => line.test(text));
    }, 'every figure');
    assert.doesNotMatch(text, /secret-team|admin/);
  });
});
