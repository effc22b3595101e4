import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { supervise } from '../../src/app/supervise.ts';
import { silentLogger } from '../../src/base/index.ts';
import { until } from '../support/until.ts';

describe('a supervised process', () => {
  it('F-26, F-29: is started again also after one that could not even be made', async () => {
    const programs = [process.execPath, '/nonexistent/program', '/nonexistent/program', process.execPath];
    const made: ChildProcess[] = [];
    const supervised = supervise(
      {
        name: 'w0',
        spawn() {
          const program = programs[made.length] ?? process.execPath;
          const child = spawn(program, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
          made.push(child);
          const ready = new Promise<void>((resolve, reject) => {
            child.once('spawn', resolve);
            child.once('error', reject);
          });
          return { child, ready };
        },
      },
      { logger: silentLogger },
    );
    await supervised.start();
    try {
      made[0]?.kill('SIGKILL');
      await until(() => made.length === 4 && made[3]?.pid !== undefined, 'the fourth runs');
    } finally {
      await supervised.stop(1000);
    }
    assert.notEqual(made[3]?.signalCode, null, 'the last one was stopped');
  });

  it('fails whoever starts it when the first one cannot be made', async () => {
    const supervised = supervise(
      {
        name: 'w0',
        spawn() {
          const child = spawn('/nonexistent/program');
          return { child, ready: once(child, 'spawn').then(() => {}) };
        },
      },
      { logger: silentLogger },
    );
    await assert.rejects(supervised.start(), { code: 'ENOENT' });
    await supervised.stop(1000);
  });
});
