import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import type { AuditEntry } from '../../src/audit/index.ts';
import { createManualClock, HOUR_MS, StartError } from '../../src/base/index.ts';
import { DiskError, type DiskMood, gate, moodyDisk, until } from './disks.ts';
import { createLab, entry, type Lab, recordMany } from './lab.ts';

const UNAVAILABLE = { name: 'Fault', code: 'DG_AUDIT_UNAVAILABLE', status: 503 };

describe('a writer of the access log', () => {
  let lab: Lab;
  beforeEach(async () => {
    lab = await createLab();
  });
  afterEach(() => lab.end());

  const wal = (name: string): string => join(lab.directory, 'wal', name);
  const segments = async (): Promise<string[]> =>
    (await readdir(join(lab.directory, 'wal'))).filter((name) => name.endsWith('.jsonl')).sort();
  const linesOf = async (name: string): Promise<string[]> =>
    (await readFile(wal(name), 'utf8')).split('\n').slice(0, -1);
  const sequence = async (): Promise<void> => {
    const sequencer = await lab.openSequencer();
    await sequencer.step();
    await sequencer.close();
  };
  const isClean = async (size: number): Promise<void> => {
    const report = await lab.verify();
    assert.deepEqual([report.damage, report.size, report.waiting], [undefined, size, 0]);
  };

  it('has the line in the file when record() resolves', async () => {
    const writer = await lab.openWriter();
    const record = await writer.record(entry());
    const lines = await linesOf('w1.0000000001.jsonl');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      [JSON.parse(JSON.stringify(record))],
    );
  });

  it('writes what waits together in one append (group commit)', async () => {
    const sizes: number[] = [];
    const held = gate();
    const mood: DiskMood = {
      before: (bytes) => {
        sizes.push(Buffer.from(bytes).toString().split('\n').length - 1);
        return sizes.length === 1 ? held.passed : undefined;
      },
    };
    const writer = await lab.openWriter({ openSegment: moodyDisk(mood) });
    const first = writer.record(entry());
    await until(() => sizes.length === 1, 'the first append began');
    const others = Array.from({ length: 500 }, () => writer.record(entry()));
    held.open();
    await Promise.all([first, ...others]);
    assert.deepEqual(sizes, [1, 500]);
  });

  it('keeps files at 0600 and directories at 0700', async () => {
    const mask = process.umask(0);
    try {
      const writer = await lab.openWriter();
      await writer.record(entry());
      assert.equal((await stat(wal('w1.0000000001.jsonl'))).mode & 0o777, 0o600);
      assert.equal((await stat(join(lab.directory, 'wal'))).mode & 0o777, 0o700);
    } finally {
      process.umask(mask);
    }
  });

  for (const name of ['', 'W1', 'a/b', '../w', '.w', 'w 1', 'x'.repeat(64)]) {
    it(`does not begin with the name ${JSON.stringify(name)}`, async () => {
      await assert.rejects(lab.openWriter({ writer: name }), StartError);
    });
  }

  it('does not begin twice under one name (A-18)', async () => {
    await lab.openWriter();
    await assert.rejects(lab.openWriter(), StartError);
    await lab.openWriter({ writer: 'w2' });
  });

  it('refuses one bad entry and no other', async () => {
    const writer = await lab.openWriter();
    const bad: AuditEntry = { ...entry(), status: Number.NaN };
    const [first, second, third] = await Promise.allSettled([
      writer.record(entry()),
      writer.record(bad),
      writer.record(entry()),
    ]);
    assert.deepEqual([first?.status, second?.status, third?.status], ['fulfilled', 'rejected', 'fulfilled']);
    writer.note(bad);
    await writer.record(entry());
    assert.equal(lab.logger.lines.filter((line) => line.message.includes('not an audit entry')).length, 1);
    await sequence();
    await isClean(3);
  });

  for (const code of ['ENOSPC', 'EIO', 'EROFS', 'EDQUOT']) {
    it(`answers 503 on ${code} and goes on by itself when it ends, with no number lost or given twice (A-12)`, async () => {
      const mood: DiskMood = {};
      const writer = await lab.openWriter({ openSegment: moodyDisk(mood) });
      await recordMany(writer, 3);
      mood.before = () => {
        throw new DiskError(code);
      };
      await assert.rejects(writer.record(entry()), UNAVAILABLE);
      assert.equal(writer.isWritable(), false);
      await assert.rejects(writer.record(entry()), UNAVAILABLE);
      delete mood.before;
      await until(() => writer.isWritable(), 'writable again');
      await recordMany(writer, 3);
      await sequence();
      const records = lab.index.records.map(({ record }) => [record.seq, record.action]);
      assert.deepEqual(records, [
        [1, 'pull'],
        [2, 'pull'],
        [3, 'pull'],
        [4, 'pull'],
        [5, 'log.recovered'],
        [6, 'pull'],
        [7, 'pull'],
        [8, 'pull'],
      ]);
      const statement = lab.index.records[4]?.record;
      assert.equal(statement?.reason, `write.${code}`);
      assert.match(statement?.note ?? '', /records 4 to 4 were answered 503/);
      await isClean(8);
    });
  }

  it('does not believe a disk that failed once: the segment is never written again (A-13)', async () => {
    const mood: DiskMood = {};
    const writer = await lab.openWriter({ openSegment: moodyDisk(mood) });
    await writer.record(entry());
    mood.after = () => {
      delete mood.after;
      throw new DiskError('EIO');
    };
    await assert.rejects(writer.record(entry()), UNAVAILABLE);
    const suspect = await readFile(wal('w1.0000000001.jsonl'));
    await until(() => writer.isWritable(), 'writable again');
    await writer.record(entry());
    assert.deepEqual(await readFile(wal('w1.0000000001.jsonl')), suspect);
    assert.deepEqual(await segments(), ['w1.0000000001.jsonl', 'w1.0000000002.jsonl']);
    await sequence();
    await isClean(4);
  });

  it('counts each line of a failed write once, whatever part of it got into the file', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        async (part, sequenceBetween) => {
          const own = await createLab();
          try {
            const mood: DiskMood = { keeps: (bytes) => Math.floor(bytes.length * part) };
            const writer = await own.openWriter({ openSegment: moodyDisk(mood) });
            const sequencer = await own.openSequencer();
            await recordMany(writer, 2);
            mood.before = () => {
              throw new DiskError('ENOSPC');
            };
            const batch = await Promise.allSettled(Array.from({ length: 5 }, () => writer.record(entry())));
            assert.ok(batch.every((each) => each.status === 'rejected'));
            if (sequenceBetween) await sequencer.step();
            delete mood.before;
            await until(() => writer.isWritable(), 'writable again');
            await recordMany(writer, 2);
            await sequencer.step();
            const numbers = own.index.records.map(({ record }) => record.seq);
            assert.deepEqual(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
            assert.equal((await own.verify()).damage, undefined);
          } finally {
            await own.end();
          }
        },
      ),
      { numRuns: 12 },
    );
  });

  it('does not fill the directory with empty segments while the disk is full', async () => {
    const mood: DiskMood = {};
    const writer = await lab.openWriter({ openSegment: moodyDisk(mood) });
    await writer.record(entry());
    let tries = 0;
    mood.before = () => {
      tries += 1;
      throw new DiskError('ENOSPC');
    };
    await assert.rejects(writer.record(entry()), UNAVAILABLE);
    await until(() => tries >= 4, 'four tries');
    // A try that is just under way has its segment, those before it have left none.
    assert((await segments()).length <= 2);
  });

  it('answers 503 when no segment can be made, and goes on later', async () => {
    const mood: DiskMood = {
      beforeOpen: () => {
        delete mood.beforeOpen;
        throw new DiskError('EMFILE');
      },
    };
    const writer = await lab.openWriter({ openSegment: moodyDisk(mood) });
    await assert.rejects(writer.record(entry()), UNAVAILABLE);
    await until(() => writer.isWritable(), 'writable again');
    await writer.record(entry());
    await sequence();
    await isClean(3);
  });

  it('answers 503 after the time limit while the disk hangs, and says later what was late (A-14, A-15)', async () => {
    const held = gate();
    const mood: DiskMood = { before: () => held.passed };
    const writer = await lab.openWriter({ openSegment: moodyDisk(mood), waitMsMax: 60 });
    const inFlight = writer.record(entry({ requestId: 'in-flight' }));
    let isAnswered = false;
    inFlight.catch(() => {
      isAnswered = true;
    });
    await until(() => isAnswered, 'an answer although the disk hangs');
    await assert.rejects(inFlight, UNAVAILABLE);
    await assert.rejects(writer.record(entry({ requestId: 'queued' })), UNAVAILABLE);
    await until(() => !writer.isWritable(), 'not writable while the write is overdue');
    held.open();
    delete mood.before;
    await until(() => writer.isWritable(), 'writable again');
    await writer.record(entry({ requestId: 'after' }));
    await sequence();
    const records = lab.index.records.map(({ record }) => [record.requestId, record.kind, record.reason]);
    assert.deepEqual(records, [
      ['in-flight', 'decision', undefined],
      ['in-flight', 'completion', 'audit.late'],
      ['after', 'decision', undefined],
    ]);
  });

  it('resolves no record before its bytes are durable, however long that takes (A-14)', async () => {
    const held = gate();
    const seen: string[] = [];
    const mood: DiskMood = {
      after: async () => {
        await held.passed;
        seen.push('durable');
      },
    };
    const writer = await lab.openWriter({ openSegment: moodyDisk(mood) });
    const all = Array.from({ length: 20 }, () => writer.record(entry()).then(() => seen.push('answered')));
    await until(async () => (await segments()).length === 1, 'the segment is there');
    assert.deepEqual(seen, []);
    held.open();
    await Promise.all(all);
    assert.equal(seen[0], 'durable');
  });

  it('refuses at once when too many records wait already', async () => {
    const held = gate();
    const mood: DiskMood = { before: () => held.passed };
    const writer = await lab.openWriter({ openSegment: moodyDisk(mood), waitingMax: 10 });
    const waiting = [writer.record(entry())];
    await until(async () => (await segments()).length === 1, 'the first append began');
    for (let at = 0; at < 10; at += 1) waiting.push(writer.record(entry()));
    await assert.rejects(writer.record(entry()), UNAVAILABLE);
    held.open();
    await Promise.all(waiting);
  });

  const disturbances: readonly [string, (path: string) => Promise<void>][] = [
    ['truncated, as copytruncate does', (path) => truncate(path, 0)],
    ['appended to by somebody else', (path) => appendFile(path, 'hello\n')],
  ];
  for (const [what, disturb] of disturbances) {
    it(`notices that its file was ${what}, answers 503 once and goes on in a new one (A-22)`, async () => {
      const clock = createManualClock(Date.now());
      const writer = await lab.openWriter({ clock });
      await writer.record(entry());
      await sequence();
      await disturb(wal('w1.0000000001.jsonl'));
      clock.advance(200);
      await assert.rejects(writer.record(entry()), UNAVAILABLE);
      await until(() => writer.isWritable(), 'writable again');
      await writer.record(entry());
      assert.ok((await segments()).includes('w1.0000000002.jsonl'), (await segments()).join());
      await sequence();
      await isClean(4);
    });
  }

  it('stops for good when another process took over its lock', async () => {
    const clock = createManualClock(Date.now());
    const writer = await lab.openWriter({ clock });
    await writer.record(entry());
    await writeFile(
      wal('w1.lock'),
      JSON.stringify({ token: 'other', host: 'h', space: '', pid: 1, started: '' }),
    );
    clock.advance(200);
    await assert.rejects(writer.record(entry()), UNAVAILABLE);
    clock.advance(HOUR_MS);
    await assert.rejects(writer.record(entry()), UNAVAILABLE);
    assert.equal(writer.isWritable(), false);
    assert.deepEqual(await segments(), ['w1.0000000001.jsonl']);
  });

  it('records notes singly up to the limit and the rest as one summary (A-27)', async () => {
    const writer = await lab.openWriter();
    for (let at = 0; at < 500; at += 1) {
      writer.note(
        entry({ action: 'challenge', outcome: 'refused', status: 401, client: { address: '10.0.0.1' } }),
      );
    }
    await writer.close();
    await sequence();
    const kinds = lab.index.records.map(({ record }) => record.kind);
    assert.equal(kinds.filter((kind) => kind === 'decision').length, 10);
    const summary = lab.index.records.find(({ record }) => record.kind === 'summary')?.record;
    assert.equal(summary?.count, 490);
    assert.match(summary?.note ?? '', /challenge \(490\); from 10\.0\.0\.1 \(490\)/);
  });

  it('writes a summary within the second, without being asked', async () => {
    const writer = await lab.openWriter({ notesPerSecond: 1 });
    writer.note(entry());
    writer.note(entry());
    await writer.record(entry());
    await until(
      async () => (await linesOf('w1.0000000001.jsonl')).some((line) => line.includes('"summary"')),
      'summary',
    );
  });

  it('keeps completions for when the disk is back', async () => {
    const mood: DiskMood = {};
    const writer = await lab.openWriter({ openSegment: moodyDisk(mood) });
    await writer.record(entry());
    mood.before = () => {
      throw new DiskError('ENOSPC');
    };
    await assert.rejects(writer.record(entry()), UNAVAILABLE);
    writer.complete({ ...entry({ requestId: 'done' }), kind: 'completion', bytes: 7 });
    delete mood.before;
    await until(() => writer.isWritable(), 'writable again');
    await writer.close();
    await sequence();
    assert.equal(lab.index.records.at(-1)?.record.requestId, 'done');
    await isClean(4);
  });

  it('records a step of the clock and keeps its times in order (A-17)', async () => {
    const clock = createManualClock(Date.now());
    const writer = await lab.openWriter({ clock });
    await writer.record(entry());
    clock.set(clock.nowMs() - HOUR_MS);
    await writer.record(entry());
    await writer.record(entry());
    await sequence();
    const records = lab.index.records.map(({ record }) => record);
    assert.deepEqual(
      records.map((record) => record.action),
      ['pull', 'clock.step', 'pull', 'pull'],
    );
    assert.match(records[1]?.note ?? '', /moved by -3600000 ms/);
    assert.deepEqual(
      records.map((record) => record.time),
      records.map((record) => record.time).sort(),
    );
    await isClean(4);
  });

  it('never goes back in time over restarts with a clock set back, nor where its files were lost (A-17)', async () => {
    const clock = createManualClock(Date.now());
    for (const [setBackMs, isLost] of [
      [HOUR_MS, false],
      [2 * HOUR_MS, true],
      [-3 * HOUR_MS, false],
      [5 * HOUR_MS, true],
    ] as const) {
      const writer = await lab.openWriter({ clock });
      for (let count = 0; count < 3; count += 1) {
        await writer.record(entry());
        clock.advance(10);
      }
      await writer.close();
      await sequence();
      clock.set(clock.nowMs() - setBackMs);
      if (isLost) await rm(join(lab.directory, 'wal'), { recursive: true });
    }
    const last = await lab.openWriter({ clock });
    await last.record(entry());
    await last.close();
    await sequence();
    const records = lab.index.records.map(({ record }) => record);
    const times = records.map((record) => record.time);
    assert.deepEqual(times, times.toSorted());
    assert.equal(records.filter(({ action }) => action === 'pull').length, 13);
    const behind = records.filter(
      ({ action, note }) => action === 'clock.step' && /is \d+ ms behind/.test(note ?? ''),
    );
    assert.ok(behind.length >= 2, 'that it stood still is told');
    assert.equal((await lab.verify()).damage, undefined);
  });

  it('writes what waits when it is closed, and refuses after that', async () => {
    const writer = await lab.openWriter();
    const records = Array.from({ length: 50 }, () => writer.record(entry()));
    writer.complete({ ...entry(), kind: 'completion' });
    await writer.close();
    await Promise.all(records);
    await assert.rejects(writer.record(entry()), UNAVAILABLE);
    assert.equal(writer.isWritable(), false);
    await sequence();
    await isClean(51);
  });

  it('gives numbers the log already has to nothing else when its files were lost', async () => {
    const first = await lab.openWriter();
    await recordMany(first, 20);
    await first.close();
    await sequence();
    await rm(join(lab.directory, 'wal'), { recursive: true });
    const second = await lab.openWriter();
    assert.equal((await second.record(entry())).seq, 22);
    await sequence();
    await isClean(22);
  });
});
