import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditWriter } from '../../src/audit/index.ts';
import { createManualClock, StartError } from '../../src/base/index.ts';
import { DiskError, type DiskMood, moodyDisk, until } from './disks.ts';
import { createLab, entry, type Lab, recordMany } from './lab.ts';

const UNAVAILABLE = { name: 'Fault', code: 'DG_AUDIT_UNAVAILABLE', status: 503 };
/** Longer than a busy writer goes without a look at its file, in milliseconds. */
const UNSEEN_MS = 200;

describe('an access log whose files are taken away while it runs', () => {
  let lab: Lab;
  beforeEach(async () => {
    lab = await createLab();
  });
  afterEach(() => lab.end());

  const path = (...names: string[]): string => join(lab.directory, ...names);
  const first = (): string => path('wal', 'w1.0000000001.jsonl');
  /** What the log holds after all, in its order; what the log says of itself by its action and reason. */
  const recorded = (): readonly string[] =>
    lab.index.records.map(({ record }) =>
      record.kind === 'system' ? `${record.action} ${record.reason}` : record.requestId,
    );
  const isClean = async (): Promise<void> => {
    const report = await lab.verify();
    assert.deepEqual([report.damage, report.size, report.waiting], [undefined, lab.index.records.length, 0]);
  };
  const record = (writer: AuditWriter, requestId: string) => writer.record(entry({ requestId }));

  const losses: readonly [string, () => Promise<void>][] = [
    ['a file is removed', () => rm(first())],
    ['a file is renamed, as logrotate does', () => rename(first(), `${first()}.1`)],
    [
      'a file is replaced by another',
      () => writeFile(`${first()}.new`, '').then(() => rename(`${first()}.new`, first())),
    ],
    ['the write-ahead directory is removed', () => rm(path('wal'), { recursive: true })],
    ['the write-ahead directory is renamed', () => rename(path('wal'), path('old'))],
  ];
  for (const [what, lose] of losses) {
    it(`keeps every record when ${what}, answers on, and says what happened (A-22)`, async () => {
      const clock = createManualClock(Date.now());
      const [writer, sequencer] = [await lab.openWriter({ clock }), await lab.openSequencer()];
      await record(writer, 'signed');
      await sequencer.step();
      await record(writer, 'waiting');
      await lose();
      await sequencer.step();
      await record(writer, 'unseen');
      clock.advance(UNSEEN_MS);
      await record(writer, 'seen');
      await sequencer.step();
      assert.equal(writer.isWritable(), true);
      await assert.rejects(lab.openWriter(), StartError, 'another took its lock');
      await record(writer, 'after');
      await sequencer.step();
      const told = recorded().filter((each) => each.startsWith('log.recovered'));
      assert.deepEqual(told, ['log.recovered segment-gone']);
      assert.deepEqual(
        recorded().filter((each) => !each.startsWith('log.')),
        ['signed', 'waiting', 'unseen', 'seen', 'after'],
      );
      await isClean();
    });
  }

  it('keeps what nobody has asked for since, without a further record (A-22)', async () => {
    const [writer, sequencer] = [await lab.openWriter(), await lab.openSequencer()];
    await record(writer, 'last');
    await rm(path('wal'), { recursive: true });
    await until(async () => {
      await sequencer.step();
      return recorded().includes('log.recovered segment-gone');
    }, 'the writer has looked by itself');
    assert.deepEqual(recorded(), ['last', 'log.recovered segment-gone']);
    await isClean();
  });

  it('writes nothing twice, however much of it the log holds already', async () => {
    const clock = createManualClock(Date.now());
    const [writer, sequencer] = [await lab.openWriter({ clock }), await lab.openSequencer()];
    await recordMany(writer, 5000);
    await sequencer.step();
    await recordMany(writer, 50);
    await cp(path('wal'), path('copy'), { recursive: true });
    await rm(path('wal'), { recursive: true });
    clock.advance(UNSEEN_MS);
    await record(writer, 'after');
    await sequencer.step();
    // Somebody puts back what was taken away.
    await cp(join(path('copy'), 'w1.0000000001.jsonl'), first());
    await sequencer.step();
    assert.equal(sequencer.size(), 5052);
    await isClean();
    await sequencer.close();
    const next = await lab.openSequencer();
    await next.step();
    assert.equal(next.size(), 5052);
    await isClean();
  });

  it('keeps what lost its file until there is room for it again (A-12, A-22)', async () => {
    const clock = createManualClock(Date.now());
    const mood: DiskMood = {};
    const writer = await lab.openWriter({ clock, openSegment: moodyDisk(mood) });
    const sequencer = await lab.openSequencer();
    await record(writer, 'before');
    await rm(first());
    mood.beforeOpen = () => {
      throw new DiskError('ENOSPC');
    };
    clock.advance(UNSEEN_MS);
    await assert.rejects(record(writer, 'refused'), UNAVAILABLE);
    assert.equal(writer.isWritable(), false);
    delete mood.beforeOpen;
    await until(() => writer.isWritable(), 'writable again');
    await record(writer, 'after');
    await sequencer.step();
    for (const each of ['before', 'log.recovered segment-gone', 'after'])
      assert.equal(recorded().filter((one) => one === each).length, 1, each);
    await isClean();
  });

  it('takes up what a writer begins anew from number 1, without being started again', async () => {
    const sequencer = await lab.openSequencer();
    // With several files, so that number 1 is lower than the one that is read.
    const writer = await lab.openWriter({ segmentBytesMax: 20_000 });
    await recordMany(writer, 300);
    await sequencer.step();
    await writer.close();
    await rm(path('wal'), { recursive: true });
    const rounds = [
      { isSeen: true, count: 10 },
      { isSeen: false, count: 400 },
      { isSeen: false, count: 5 },
    ];
    for (const { isSeen, count } of rounds) {
      if (isSeen) await sequencer.step();
      const again = await lab.openWriter();
      await recordMany(again, count);
      await again.close();
      await sequencer.step();
      await rm(path('wal'), { recursive: true });
    }
    // Each start of the writer is a record, too.
    assert.equal(sequencer.size(), 300 + 11 + 401 + 6);
    assert.ok(lab.logger.lines.some(({ fields }) => fields.problem === 'gone'));
    await isClean();
  });

  it('answers 503 while its directory is away, also where nobody asks, and goes on when it is back', async () => {
    const [writer, sequencer] = [await lab.openWriter(), await lab.openSequencer()];
    await record(writer, 'before');
    await rename(lab.directory, `${lab.directory}.away`);
    try {
      await until(() => !writer.isWritable() || existsSync(lab.directory), 'the writer has looked by itself');
      await assert.rejects(record(writer, 'refused'), UNAVAILABLE);
      assert.equal(existsSync(lab.directory), false, 'it was begun anew');
    } finally {
      await rename(`${lab.directory}.away`, lab.directory);
    }
    await until(() => writer.isWritable(), 'writable again');
    await record(writer, 'after');
    await sequencer.step();
    assert.deepEqual(
      recorded().filter((each) => !each.startsWith('log.')),
      ['before', 'after'],
    );
    await isClean();
  });

  for (const how of ['removed', 'exchanged for an older copy'] as const) {
    it(`signs nothing over a log that was ${how}, and goes on when it is back (A-09)`, async () => {
      const [writer, sequencer] = [await lab.openWriter(), await lab.openSequencer()];
      await record(writer, 'one');
      await sequencer.step();
      await cp(path('log'), path('older'), { recursive: true });
      await record(writer, 'two');
      await sequencer.step();
      await rename(path('log'), path('newest'));
      if (how !== 'removed') await rename(path('older'), path('log'));
      await record(writer, 'three');
      for (let step = 0; step < 3; step += 1) await assert.rejects(sequencer.step(), /while the server ran/);
      assert.equal(sequencer.isHealthy(), false);
      assert.equal((await readdir(lab.directory)).includes('log'), how !== 'removed');
      await rm(path('log'), { recursive: true, force: true });
      await rename(path('newest'), path('log'));
      await sequencer.step();
      assert.equal(sequencer.isHealthy(), true);
      assert.deepEqual(recorded(), ['one', 'two', 'three']);
      await isClean();
    });
  }

  it('writes to no file as a writer that another process is by now (A-18)', async () => {
    const clock = createManualClock(Date.now());
    const writer = await lab.openWriter({ clock });
    await record(writer, 'before');
    await writeFile(
      path('wal', 'w1.lock'),
      JSON.stringify({ token: 'other', host: 'h', space: '', pid: 1, started: '' }),
    );
    await rm(first());
    clock.advance(UNSEEN_MS);
    await assert.rejects(record(writer, 'lost'), UNAVAILABLE);
    assert.equal(writer.isWritable(), false);
    assert.deepEqual(
      (await readdir(path('wal'))).filter((name) => name.endsWith('.jsonl')),
      [],
    );
  });
});
