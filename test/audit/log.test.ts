import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createLab, entry, type Lab, recordMany } from './lab.ts';

describe('the access log', () => {
  let lab: Lab;
  beforeEach(async () => {
    lab = await createLab();
  });
  afterEach(() => lab.end());

  it('holds every record of every writer once, in order, signed and searchable', async () => {
    const writers = [await lab.openWriter({ writer: 'w1' }), await lab.openWriter({ writer: 'w2' })];
    const sequencer = await lab.openSequencer();
    await Promise.all(writers.map((writer) => recordMany(writer, 700)));
    await sequencer.step();
    await Promise.all(writers.map((writer) => recordMany(writer, 35)));
    await sequencer.step();

    const report = await lab.verify();
    assert.equal(report.damage, undefined);
    assert.deepEqual(
      { isClean: report.isClean, size: report.size, waiting: report.waiting },
      {
        isClean: true,
        size: 1470,
        waiting: 0,
      },
    );
    for (const writer of ['w1', 'w2']) {
      const numbers = lab.index.records
        .filter(({ record }) => record.writer === writer)
        .map(({ record }) => record.seq);
      assert.deepEqual(
        numbers,
        Array.from({ length: 735 }, (_, at) => at + 1),
      );
    }
    assert.deepEqual(
      lab.index.records.map(({ index }) => index),
      Array.from({ length: 1470 }, (_, at) => at),
    );
  });

  it('gives back the record as it was written, with its place in the writer', async () => {
    const writer = await lab.openWriter();
    const first = await writer.record(entry({ action: 'sign-in' }));
    const second = await writer.record(entry({ client: { address: '127.0.0.1' } }));
    assert.deepEqual([first.seq, second.seq, second.writer, second.node, second.v], [1, 2, 'w1', 'n1', 1]);
    assert.equal(second.client?.address, '127.0.0.1');
    assert.ok(second.time >= first.time);
  });

  it('is clean before its first record (A-29)', async () => {
    await lab.openSequencer();
    const report = await lab.verify();
    assert.deepEqual({ isClean: report.isClean, size: report.size }, { isClean: true, size: 0 });
  });

  it('goes on after a restart of writer and sequencer where it stopped', async () => {
    for (let round = 0; round < 3; round += 1) {
      const writer = await lab.openWriter();
      const sequencer = await lab.openSequencer();
      await recordMany(writer, 150);
      if (round !== 1) await sequencer.step();
      await writer.close();
      await sequencer.close();
    }
    const report = await lab.verify();
    assert.deepEqual([report.damage, report.size], [undefined, 452]);
  });

  it('removes write-ahead segments that a checkpoint covers, and keeps the newest', async () => {
    const writer = await lab.openWriter({ segmentBytesMax: 2000 });
    const sequencer = await lab.openSequencer();
    for (let round = 0; round < 20; round += 1) await writer.record(entry({ note: 'x'.repeat(400) }));
    const before = await segmentsOf(lab);
    await sequencer.step();
    const after = await segmentsOf(lab);
    assert.ok(before.length > 4);
    assert.ok(after.length >= 1 && after.length <= 2);
    assert.equal((await lab.verify()).damage, undefined);
  });

  it('counts what no checkpoint covers yet as waiting', async () => {
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer();
    await recordMany(writer, 10);
    await sequencer.step();
    await recordMany(writer, 7);
    assert.deepEqual([(await lab.verify()).waiting, (await lab.verify()).size], [7, 10]);
  });
});

async function segmentsOf(lab: Lab): Promise<string[]> {
  return (await readdir(join(lab.directory, 'wal'))).filter((name) => name.endsWith('.jsonl'));
}
