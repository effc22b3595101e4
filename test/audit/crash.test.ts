import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { recoverWriter } from '../../src/audit/recover.ts';
import { until } from './disks.ts';
import { createLab, entry, type Lab, recordMany } from './lab.ts';

const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url));

/** Lets a real process write, kills it with SIGKILL, and returns the numbers it acknowledged. */
async function writeAndKill(
  directory: string,
  writer: string,
  role: string,
  afterCount: number,
): Promise<number[]> {
  const child = spawn(process.execPath, [CHILD, directory, writer, role], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
    if (printed.split('\n').length > afterCount) child.kill('SIGKILL');
  });
  const [code, signal] = await once(child, 'close');
  assert.deepEqual([code, signal], [null, 'SIGKILL']);
  return printed.split('\n').slice(0, -1).map(Number);
}

describe('a crash', () => {
  let lab: Lab;
  beforeEach(async () => {
    lab = await createLab();
  });
  afterEach(() => lab.end());

  const wal = (): string => join(lab.directory, 'wal');

  it('loses no acknowledged record and leaves a clean log: writers and sequencer killed with -9 at random points', async function () {
    this.timeout(120_000);
    const acknowledged = { w1: new Set<number>(), w2: new Set<number>() };
    for (let round = 0; round < 4; round += 1) {
      const counts = [0, 1].map(() => 20 + Math.floor(Math.random() * 600));
      const [first, second] = await Promise.all([
        writeAndKill(lab.directory, 'w1', 'sequence', counts[0] ?? 0),
        writeAndKill(lab.directory, 'w2', 'write', counts[1] ?? 0),
      ]);
      for (const seq of first) acknowledged.w1.add(seq);
      for (const seq of second) acknowledged.w2.add(seq);
      const report = await lab.verify();
      assert.equal(report.damage, undefined, `${report.damage?.message} after ${counts}`);
    }
    for (const writer of ['w1', 'w2']) await (await lab.openWriter({ writer })).record(entry());
    const sequencer = await lab.openSequencer();
    await sequencer.step();
    // The index follows a long way beside the steps.
    await until(() => lab.index.records.length === sequencer.size(), 'the index has all records');
    const report = await lab.verify();
    assert.deepEqual([report.damage, report.waiting], [undefined, 0]);
    for (const writer of ['w1', 'w2'] as const) {
      const found = lab.index.records
        .filter(({ record }) => record.writer === writer)
        .map(({ record }) => record.seq);
      assert.deepEqual(
        found,
        Array.from({ length: found.length }, (_, at) => at + 1),
      );
      const numbers = new Set(found);
      assert.deepEqual(
        [...acknowledged[writer]].filter((seq) => !numbers.has(seq)),
        [],
      );
    }
  });

  it('is recovered from at every byte offset of the last lines (A-10)', async function () {
    this.timeout(120_000);
    const writer = await lab.openWriter();
    await recordMany(writer, 3);
    await writer.close();
    const file = join(wal(), 'w1.0000000001.jsonl');
    const whole = await readFile(file);
    for (let cut = whole.length; cut >= 0; cut -= 1) {
      await truncate(file, cut);
      const lineCount = whole.subarray(0, cut).filter((byte) => byte === 0x0a).length;
      const tail = cut - (whole.subarray(0, cut).lastIndexOf(0x0a) + 1);
      const start = await recoverWriter(lab.directory, 'w1');
      assert.equal(start.lastSeq, lineCount, `cut at ${cut}`);
      assert.equal(start.nextNumber, 2);
      assert.deepEqual(
        start.torn.map((torn) => torn.bytes),
        tail > 0 ? [tail] : [],
      );
      if (tail > 0) {
        const aside = join(wal(), 'w1.0000000001.torn');
        assert.deepEqual(await readFile(aside), whole.subarray(cut - tail, cut));
        await rm(aside);
      }
    }
  });

  for (const part of [0.2, 0.5, 0.9, 0.99]) {
    it(`in the middle of a line leaves a record that says so, and a clean log (A-10, cut at ${part})`, async () => {
      const writer = await lab.openWriter();
      await recordMany(writer, 10);
      await writer.close();
      const file = join(wal(), 'w1.0000000001.jsonl');
      const whole = await readFile(file);
      const lastLine = whole.length - 1 - whole.subarray(0, -1).lastIndexOf(0x0a);
      await truncate(file, whole.length - lastLine + Math.ceil(lastLine * part));
      const again = await lab.openWriter();
      await again.record(entry());
      const sequencer = await lab.openSequencer();
      await sequencer.step();
      const actions = lab.index.records.map(({ record }) => record.action);
      assert.deepEqual(actions.slice(-3), ['log.reopened', 'log.recovered', 'pull']);
      assert.equal(actions.length, 12);
      assert.match(
        lab.index.records[10]?.record.note ?? '',
        /segment 1 ended with \d+ bytes nobody was answered for/,
      );
      assert.ok((await readdir(wal())).includes('w1.0000000001.torn'));
      assert.equal((await lab.verify()).damage, undefined);
      await again.close();
      const third = await lab.openWriter();
      await third.record(entry());
      await sequencer.step();
      assert.equal(lab.index.records.length, 14, 'the torn tail is recorded once');
    });
  }

  const rubbish: readonly [string, (whole: Buffer) => Buffer][] = [
    ['NULs', () => Buffer.alloc(5000)],
    [
      'NULs and then whole lines, as pages written out of order',
      (whole) => Buffer.concat([Buffer.alloc(100), whole]),
    ],
    ['a line that is no record', () => Buffer.from('{"hello":1}\n')],
    ['a line longer than any record', () => Buffer.alloc(40_000, 0x61)],
  ];
  for (const [what, tail] of rubbish) {
    it(`that leaves ${what} at the end is recovered from, and none of it counts`, async () => {
      const writer = await lab.openWriter();
      await recordMany(writer, 5);
      await writer.close();
      const file = join(wal(), 'w1.0000000001.jsonl');
      const whole = await readFile(file);
      await writeFile(file, Buffer.concat([whole, tail(whole)]));
      const sequencer = await lab.openSequencer();
      await sequencer.step();
      assert.equal(sequencer.size(), 5);
      const again = await lab.openWriter();
      await again.record(entry());
      await sequencer.step();
      assert.deepEqual(
        lab.index.records.map(({ record }) => record.seq),
        [1, 2, 3, 4, 5, 6, 7, 8],
      );
      assert.equal((await lab.verify()).damage, undefined);
    });
  }

  it('between tiles and checkpoint makes the sequencer write them anew, with nothing doubled', async () => {
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer();
    await recordMany(writer, 200);
    await sequencer.step();
    const before = await Promise.all(
      ['checkpoint', 'positions'].map((name) => readFile(join(lab.directory, 'log', name))),
    );
    await recordMany(writer, 200);
    await sequencer.close();
    for (const [at, name] of ['checkpoint', 'positions'].entries()) {
      await writeFile(join(lab.directory, 'log', name), before[at] ?? '');
    }
    const again = await lab.openSequencer();
    assert.equal(again.size(), 200);
    await recordMany(writer, 3);
    await again.step();
    const report = await lab.verify();
    assert.deepEqual([report.damage, report.size, report.waiting], [undefined, 403, 0]);
  });

  for (const [what, positions] of [
    ['lost', undefined],
    ['replaced by rubbish', 'rubbish'],
    ['older than the checkpoint', 'older'],
  ] as const) {
    it(`after which the file of positions is ${what} still finds each writer's place from the leaves`, async () => {
      const writers = [await lab.openWriter({ writer: 'w1' }), await lab.openWriter({ writer: 'w2' })];
      const sequencer = await lab.openSequencer();
      await Promise.all(writers.map((writer) => recordMany(writer, 150)));
      await sequencer.step();
      const file = join(lab.directory, 'log/positions');
      const older = await readFile(file, 'utf8');
      await Promise.all(writers.map((writer) => recordMany(writer, 150)));
      await sequencer.close();
      if (positions === undefined) await rm(file);
      else await writeFile(file, positions === 'older' ? older : positions);
      const again = await lab.openSequencer();
      await Promise.all(writers.map((writer) => recordMany(writer, 10)));
      await again.step();
      const report = await lab.verify();
      assert.deepEqual([report.damage, report.size, report.waiting], [undefined, 620, 0]);
    });
  }
});
