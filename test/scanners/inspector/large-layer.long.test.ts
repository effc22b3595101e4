import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MINUTE_MS } from '../../../src/base/index.ts';

const PROGRAM = join(import.meta.dirname, 'large-layer-process.ts');
const RUNS = ['plain', 'gzip', 'plain', 'gzip', 'plain'] as const;

describe('a layer of 1 GiB', function () {
  this.timeout(15 * MINUTE_MS);

  for (const [at, how] of RUNS.entries()) {
    it(`takes a process with nothing but an inspector less than 300 MiB of memory (${how}, run ${at + 1})`, async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, how]);
      const { status, reason, memoryMiB, grownMiB, mibPerSecond } = JSON.parse(stdout);
      console.log(`      1 GiB, ${how}: grew by ${grownMiB} to ${memoryMiB} MiB, ${mibPerSecond} MiB/s`);
      assert.equal(status, 'done', reason);
      assert.ok(memoryMiB < 300, `${memoryMiB} MiB`);
    });
  }
});
