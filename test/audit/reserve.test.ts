import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditUnavailable, fillReserve } from '../../src/audit/index.ts';
import { MiB, silentLogger } from '../../src/base/index.ts';
import { until } from './disks.ts';
import { createLab, entry, type Lab } from './lab.ts';

const BYTES = 3 * MiB;
const parts = { logger: silentLogger };
const byAdministrator = { isAdministrator: true };

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: 'ignore' });
}

/** A file system of 12 MiB of its own. @returns whether it could be had: that takes root. */
function mountSmall(path: string): boolean {
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=12m,mode=0700', 'dockgate-test', path);
    return true;
  } catch {
    return false;
  }
}

describe('the room on the disk that is kept for administrators (A-12)', function () {
  this.timeout(120_000);
  let mount: string;
  let isMounted = false;
  let lab: Lab;
  const reserve = (): string => join(lab.directory, 'reserve');
  const size = async (): Promise<number> => (await stat(reserve())).size;
  const fill = (): Promise<boolean> => fillReserve({ directory: lab.directory, bytes: BYTES }, parts);

  beforeEach(async () => {
    mount = await mkdtemp(join(tmpdir(), 'dockgate-reserve-'));
    isMounted = mountSmall(mount);
    lab = await createLab(join(mount, 'audit'));
  });
  afterEach(async () => {
    await lab.end();
    if (isMounted) run('umount', mount);
    await rm(mount, { recursive: true, force: true });
  });

  it('lets administrators alone be recorded on a full disk, and everybody when there is room again', async function () {
    if (!isMounted) this.skip();
    const writer = await lab.openWriter({ reserveBytes: BYTES });
    assert.equal(await fill(), true);
    await writer.record(entry());
    const filler = join(mount, 'filler');
    for (let round = 0; round < 2; round += 1) {
      await fillDisk(filler);
      await until(
        () =>
          writer.record(entry({ note: 'x'.repeat(800) })).then(
            () => false,
            () => true,
          ),
        'the disk is full',
      );
      await assert.rejects(writer.record(entry()), AuditUnavailable);
      assert.equal(await size(), BYTES, 'nobody else draws on it');
      await writer.record(entry({ action: 'admin.image.remove' }), byAdministrator);
      assert.ok((await size()) < BYTES);
      // There is room now, and it is not for pulls.
      await assert.rejects(writer.record(entry()), (error: AuditUnavailable) =>
        /kept for administrators/.test(String(error.cause)),
      );
      assert.equal(writer.isWritable(), false);
      await writer.record(entry({ action: 'admin.image.list' }), byAdministrator);
      assert.equal(await fill(), false, 'it is not filled up while the disk is full');
      await rm(filler);
      assert.equal(await fill(), true);
      await until(
        () =>
          writer.record(entry()).then(
            () => true,
            () => false,
          ),
        'everybody is served',
      );
      assert.equal(writer.isWritable(), true);
    }
    await writer.close();
    const sequencer = await lab.openSequencer();
    await sequencer.step();
    assert.equal((await lab.verify()).damage, undefined);
  });

  it('is not drawn on where there is room, nor where none is kept', async () => {
    const writer = await lab.openWriter({ reserveBytes: BYTES });
    await writer.record(entry(), byAdministrator);
    assert.equal(await fill(), true);
    await writer.record(entry(), byAdministrator);
    assert.equal(await size(), BYTES);
    assert.equal((await stat(reserve())).mode & 0o777, 0o600);
    const other = await lab.openWriter({ writer: 'w2' });
    await truncate(reserve(), 0);
    await other.record(entry());
  });

  it('is bounded: so many records of administrators and no more', async () => {
    const writer = await lab.openWriter({ reserveBytes: BYTES });
    await writeFile(reserve(), '');
    for (let count = 0; count < 1000; count += 100) {
      await Promise.all(Array.from({ length: 100 }, () => writer.record(entry(), byAdministrator)));
    }
    await assert.rejects(writer.record(entry(), byAdministrator), AuditUnavailable);
    assert.equal(await fill(), true);
    await until(
      () =>
        writer.record(entry()).then(
          () => true,
          () => false,
        ),
      'everybody is served',
    );
    await writer.record(entry(), byAdministrator);
  });

  it('keeps what nobody waits for out: it is counted in a summary later', async () => {
    const writer = await lab.openWriter({ reserveBytes: BYTES });
    await writeFile(reserve(), '');
    writer.note(entry({ action: 'connection', outcome: 'refused', status: 401 }));
    await writer.record(entry(), byAdministrator);
    const sequencer = await lab.openSequencer();
    await sequencer.step();
    assert.equal(lab.index.records.length, 1);
  });
});

/** Fills the file system to the last block. */
async function fillDisk(path: string): Promise<void> {
  for (let bytes = MiB; bytes >= 1024; bytes /= 2) {
    for (let isRoom = true; isRoom; ) {
      isRoom = await writeFile(path, Buffer.alloc(bytes), { flag: 'a' }).then(
        () => true,
        () => false,
      );
    }
  }
}
