import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './disks.ts';
import { createLab, entry, type Lab } from './lab.ts';

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: 'ignore' });
}

/** A file system of 600 KiB of its own. @returns whether it could be had: that takes root. */
function mountSmall(path: string): boolean {
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=600k,mode=0700', 'dockgate-test', path);
    return true;
  } catch {
    // No root here; the same errors are tried with a disk that lies (writer.test.ts).
    return false;
  }
}

describe('a disk that is full (A-12)', () => {
  let mount: string;
  let lab: Lab | undefined;

  beforeEach(async function () {
    mount = await mkdtemp(join(tmpdir(), 'dockgate-full-'));
    if (!mountSmall(mount)) this.skip();
    lab = await createLab(join(mount, 'audit'));
  });
  afterEach(async () => {
    await lab?.end();
    if (lab !== undefined) run('umount', mount);
    await rm(mount, { recursive: true, force: true });
  });

  it('is a 503 and no hole: everything acknowledged is in the log when there is room again', async function () {
    this.timeout(120_000);
    assert.ok(lab);
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer();
    await sequencer.step();
    const acknowledged = new Set<number>();
    let refused = 0;
    for (let round = 0; round < 3; round += 1) {
      const filler = join(mount, 'filler');
      await fill(filler);
      while (refused <= round * 5 + 5) {
        const results = await Promise.allSettled(
          [1, 2, 3].map(() => writer.record(entry({ note: 'x'.repeat(800) }))),
        );
        for (const result of results) {
          if (result.status === 'fulfilled') acknowledged.add(result.value.seq);
          else refused += 1;
        }
        await sequencer.step().catch(() => undefined);
      }
      assert.equal(writer.isWritable(), false);
      await rm(filler);
      await until(() => writer.isWritable(), 'writable again');
      acknowledged.add((await writer.record(entry())).seq);
    }
    await sequencer.step();
    assert.equal(sequencer.isHealthy(), true);
    const report = await lab.verify();
    assert.deepEqual([report.damage, report.waiting], [undefined, 0]);
    const numbers = lab.index.records.map(({ record }) => record.seq);
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, at) => at + 1),
    );
    assert.deepEqual(
      [...acknowledged].filter((seq) => !numbers.includes(seq)),
      [],
    );
    assert.ok((await readdir(join(lab.directory, 'wal'))).length < 20);
  });
});

/** Fills the file system to the last block. */
async function fill(path: string): Promise<void> {
  for (let bytes = 1024 * 1024; bytes >= 1024; bytes /= 2) {
    await writeFile(`${path}`, Buffer.alloc(bytes), { flag: 'a' }).catch(() => undefined);
  }
}
