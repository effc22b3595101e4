import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MINUTE_MS } from '../../../src/base/index.ts';

describe('a layer of 1 GiB', function () {
  this.timeout(15 * MINUTE_MS);

  it('takes an inspector, its thread included, less than 300 MiB of memory', async () => {
    const program = join(import.meta.dirname, 'large-layer-process.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [program]);
    const { status, reason, memoryMiB, grownMiB, mibPerSecond } = JSON.parse(stdout);
    console.log(`      1 GiB layer: grew by ${grownMiB} MiB to ${memoryMiB} MiB, ${mibPerSecond} MiB/s`);
    assert.equal(status, 'done', reason);
    assert.ok(grownMiB < 300, `${grownMiB} MiB`);
  });
});
