import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takeLock } from '../../src/audit/lock.ts';
import { StartError, systemRandom } from '../../src/base/index.ts';

describe('a lock', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dockgate-lock-'));
    path = join(directory, 'w1.lock');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('is held by one at a time and is free again when released (A-18)', async () => {
    const lock = await takeLock(path, systemRandom);
    await assert.rejects(takeLock(path, systemRandom), (error) => {
      assert.ok(error instanceof StartError);
      assert.match(error.message, new RegExp(`in use by process ${process.pid} `));
      return true;
    });
    await lock.release();
    assert.deepEqual(await readdir(directory), []);
    await (await takeLock(path, systemRandom)).release();
  });

  it('is refused while another process lives that holds it, and taken over after kill -9 (A-18)', async () => {
    const holder = await startHolder(path);
    await assert.rejects(takeLock(path, systemRandom), StartError);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const lock = await takeLock(path, systemRandom);
    await lock.check();
    await lock.release();
  });

  it('of another host is stale only when it has not been renewed for 15 s (A-18)', async () => {
    const foreign = { token: 't', host: 'elsewhere', space: 'other', pid: 1, started: '5' };
    await writeFile(path, JSON.stringify(foreign));
    await assert.rejects(takeLock(path, systemRandom), /in use by process 1 on elsewhere/);
    const old = new Date(Date.now() - 20_000);
    await utimes(path, old, old);
    await (await takeLock(path, systemRandom)).release();
  });

  it('of a process whose number was given to another one is stale', async () => {
    const lock = await takeLock(path, systemRandom);
    const holder: Record<string, unknown> = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify({ ...holder, token: 'dead', started: '1' }));
    const taken = await takeLock(path, systemRandom);
    await assert.rejects(lock.check(), { code: 'LOCK_LOST' });
    await taken.check();
    await taken.release();
  });

  it('is not released by who lost it', async () => {
    const lock = await takeLock(path, systemRandom);
    await writeFile(path, JSON.stringify({ token: 'x', host: 'h', space: '', pid: 1, started: '' }));
    await lock.release();
    assert.deepEqual(await readdir(directory), ['w1.lock']);
  });

  it('is not taken from a file that is no lock', async () => {
    await writeFile(path, 'precious');
    await assert.rejects(takeLock(path, systemRandom), /not a lock file/);
    assert.equal(await readFile(path, 'utf8'), 'precious');
  });

  it('is given to exactly one of many that find it stale at once', async () => {
    const gone = { token: 'gone', host: 'elsewhere', space: 'other', pid: 1, started: '5' };
    await writeFile(path, JSON.stringify(gone));
    const old = new Date(Date.now() - 60_000);
    await utimes(path, old, old);
    const taken = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(path, systemRandom)));
    const locks = taken.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    assert.equal(locks.length, 1);
    await locks[0]?.check();
    await locks[0]?.release();
  });
});

/** A process that takes the lock and holds it until it is killed. */
async function startHolder(path: string) {
  const lock = new URL('../../src/audit/lock.ts', import.meta.url).href;
  const random = new URL('../../src/base/index.ts', import.meta.url).href;
  const code = `
    const { takeLock } = await import(${JSON.stringify(lock)});
    const { systemRandom } = await import(${JSON.stringify(random)});
    await takeLock(${JSON.stringify(path)}, systemRandom);
    process.stdout.write('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}
