import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadOrCreateLogKey, rebuildIndex } from '../../src/audit/index.ts';
import { createManualClock, HOUR_MS, StartError } from '../../src/base/index.ts';
import { until } from './disks.ts';
import {
  consistencyProof,
  inclusionProof,
  isContinuation,
  openCheckpoint,
  readEntries,
  rootByInclusion,
  treeHash,
} from './independent.ts';
import { createLab, entry, indexInMemory, type Lab, recordMany } from './lab.ts';

describe('the sequencer', () => {
  let lab: Lab;
  beforeEach(async () => {
    lab = await createLab();
  });
  afterEach(() => lab.end());

  const path = (name: string): string => join(lab.directory, name);

  it('makes a log that a reader written from the specifications alone can check', async () => {
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer();
    await recordMany(writer, 333);
    await sequencer.step();
    const vkey = await readFile(path('log/key.pub'), 'utf8');
    const older = openCheckpoint(await readFile(path('log/checkpoint'), 'utf8'), vkey);
    await recordMany(writer, 445);
    await sequencer.step();
    const newer = openCheckpoint(await readFile(path('log/checkpoint'), 'utf8'), vkey);

    assert.deepEqual([older.origin, older.size, newer.size], ['dockgate/n1', 333, 778]);
    const entries = readEntries(path('log'), newer.size);
    assert.deepEqual(treeHash(entries), newer.root);
    assert.deepEqual(treeHash(entries.slice(0, older.size)), older.root);
    for (const at of [0, 1, 255, 256, 332, 333, 511, 512, 700, 777]) {
      const proof = inclusionProof(path('log'), newer.size, at);
      assert.deepEqual(
        rootByInclusion(entries[at] ?? Buffer.alloc(0), at, newer.size, proof),
        newer.root,
        `leaf ${at}`,
      );
    }
    const proof = consistencyProof(path('log'), newer.size, older.size);
    assert.equal(isContinuation(older, newer, proof), true);
    assert.equal(isContinuation({ ...older, root: newer.root }, newer, proof), false);
  });

  it('makes a leaf of the exact bytes of the line (A-28)', async () => {
    const writer = await lab.openWriter();
    await writer.record(entry({ note: 'é\u2028' }));
    const line = (await readFile(path('wal/w1.0000000001.jsonl'), 'utf8')).trimEnd();
    const sequencer = await lab.openSequencer();
    await sequencer.step();
    assert.deepEqual(readEntries(path('log'), 1).map(String), [line]);
  });

  it('signs by itself what is recorded', async () => {
    const key = await loadOrCreateLogKey(path('keys/log.pem'));
    assert.ok(key);
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer({ intervalMs: 20 });
    await writer.record(entry());
    await until(() => sequencer.size() === 1, 'signed');
  });

  it('keeps partial tiles until the full one is there, as tlog-tiles demands', async () => {
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer();
    for (const count of [10, 20]) {
      await recordMany(writer, count);
      await sequencer.step();
    }
    assert.deepEqual((await readdir(path('log/tile/entries/000.p'))).sort(), ['10', '30']);
    await recordMany(writer, 300);
    await sequencer.step();
    assert.deepEqual(await readdir(path('log/tile/entries')), ['000', '001.p']);
    assert.deepEqual(await readdir(path('log/tile/0')), ['000', '001.p']);
  });

  it('removes tiles of a step that never came to its checkpoint before it grows past them', async () => {
    const writer = await lab.openWriter();
    const before = await lab.openSequencer();
    await recordMany(writer, 20);
    await before.step();
    await before.close();
    // Under another order of the records, and one in a bundle that is reached later.
    await writeFile(path('log/tile/entries/000.p/30'), 'of no tree');
    await writeFile(path('log/tile/0/000.p/300'), 'of no tree');
    await mkdir(path('log/tile/entries/001.p'));
    await writeFile(path('log/tile/entries/001.p/3'), 'of no tree');
    const sequencer = await lab.openSequencer();
    await recordMany(writer, 100);
    await sequencer.step();
    assert.deepEqual(await readdir(path('log/tile/entries/000.p')), ['120', '20']);
    assert.deepEqual(await readdir(path('log/tile/0/000.p')), ['120', '20']);
    await recordMany(writer, 200);
    await sequencer.step();
    assert.deepEqual(await readdir(path('log/tile/entries/001.p')), ['64']);
    assert.equal((await lab.verify()).damage, undefined);
  });

  it('merges writers in the order of their records', async () => {
    const clock = createManualClock(Date.now());
    const writers = [
      await lab.openWriter({ writer: 'w1', clock }),
      await lab.openWriter({ writer: 'w2', clock }),
    ];
    for (let round = 0; round < 10; round += 1) {
      clock.advance(10);
      await writers[round % 2]?.record(entry());
    }
    await (await lab.openSequencer()).step();
    const order = lab.index.records.map(({ record }) => record.writer);
    assert.deepEqual(order, ['w1', 'w2', 'w1', 'w2', 'w1', 'w2', 'w1', 'w2', 'w1', 'w2']);
  });

  it('runs once for a directory (A-18)', async () => {
    await lab.openSequencer();
    await assert.rejects(lab.openSequencer(), /sequencer\.lock: in use by process/);
  });

  describe('does not begin', () => {
    beforeEach(async () => {
      const writer = await lab.openWriter();
      const sequencer = await lab.openSequencer();
      await recordMany(writer, 300);
      await sequencer.close();
    });

    const refused: readonly [string, RegExp, () => Promise<unknown>, { node?: string; keyPath?: string }?][] =
      [
        ['with another key', /belongs to the key/, async () => undefined, { keyPath: 'keys/other.pem' }],
        ['under another node name', /belongs to the key/, async () => undefined, { node: 'n2' }],
        ['under a node name that is none', /is no name for a node/, async () => undefined, { node: 'N 2' }],
        ['without the checkpoint', /the checkpoint was removed/, () => rm(path('log/checkpoint'))],
        [
          'with a broken checkpoint',
          /not one that dockgate\/n1 signed/,
          () => appendFile(path('log/checkpoint'), 'x'),
        ],
        [
          'with a changed leaf tile',
          /damaged/,
          () => writeFile(path('log/tile/0/001.p/44'), Buffer.alloc(44 * 32)),
        ],
        [
          'with a missing upper tile',
          /damaged \(tile\/1\/000\.p\/1 is missing/,
          () => rm(path('log/tile/1/000.p/1')),
        ],
        [
          'with a cut bundle',
          /damaged/,
          () => writeFile(path('log/tile/entries/001.p/44'), Buffer.alloc(10)),
        ],
      ];
    for (const [what, message, tamper, options = {}] of refused) {
      it(`${what}, and changes nothing`, async () => {
        await tamper();
        const before = await readFile(path('log/key.pub'), 'utf8');
        const keyPath = options.keyPath === undefined ? {} : { keyPath: path(options.keyPath) };
        await assert.rejects(lab.openSequencer({ ...options, ...keyPath }), (error) => {
          assert.ok(error instanceof StartError);
          assert.match(error.message, message);
          return true;
        });
        assert.equal(await readFile(path('log/key.pub'), 'utf8'), before);
      });
    }
  });

  it('says that it is not healthy while the log cannot be written, and catches up after that (A-12)', async () => {
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer();
    await recordMany(writer, 10);
    await sequencer.step();
    await rename(path('log/tile/entries'), path('log/tile/entries.away'));
    await writeFile(path('log/tile/entries'), 'a file where a directory should be');
    await recordMany(writer, 10);
    await assert.rejects(sequencer.step());
    assert.equal(sequencer.isHealthy(), false);
    assert.equal(sequencer.size(), 10);
    await rm(path('log/tile/entries'));
    await rename(path('log/tile/entries.away'), path('log/tile/entries'));
    await sequencer.step();
    assert.equal(sequencer.isHealthy(), true);
    const report = await lab.verify();
    assert.deepEqual([report.damage, report.size], [undefined, 20]);
  });

  it('takes up a backlog of many segments and several MiB at once', async function () {
    this.timeout(120_000);
    const writer = await lab.openWriter({ segmentBytesMax: 2_000_000 });
    for (let round = 0; round < 8; round += 1) {
      await Promise.all(
        Array.from({ length: 200 }, () =>
          writer.record(
            entry({ note: 'x'.repeat(2000), reason: 'y'.repeat(1500), because: 'z'.repeat(2000) }),
          ),
        ),
      );
    }
    const sequencer = await lab.openSequencer();
    await sequencer.step();
    const report = await lab.verify();
    assert.deepEqual([report.damage, report.size, report.waiting], [undefined, 1600, 0]);
  });

  it('goes on signing while the index is away, and fills it later', async () => {
    const index = indexInMemory();
    let isAway = true;
    const awayAtFirst = {
      ...index,
      append: async (records: Parameters<typeof index.append>[0]) => {
        if (isAway) throw new Error('database is away');
        await index.append(records);
      },
    };
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer({ index: awayAtFirst });
    await recordMany(writer, 20);
    await sequencer.step();
    assert.deepEqual([sequencer.size(), sequencer.isHealthy(), index.records.length], [20, true, 0]);
    isAway = false;
    await sequencer.step();
    assert.equal(index.records.length, 20);
  });

  it("fills an index anew that knows more than the log, since it is another log's", async () => {
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer();
    await recordMany(writer, 5);
    await sequencer.step();
    const first = lab.index.records[0];
    assert.ok(first);
    lab.index.records.push({ ...first, index: 99 });
    await recordMany(writer, 1);
    await sequencer.step();
    assert.deepEqual(
      lab.index.records.map(({ index }) => index),
      [0, 1, 2, 3, 4, 5],
    );
  });

  it('leaves a log from which the index can be rebuilt', async () => {
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer();
    await recordMany(writer, 1200);
    await sequencer.step();
    const again = indexInMemory();
    assert.equal(await rebuildIndex(lab.directory, again), 1200);
    assert.deepEqual(again.records, lab.index.records);
    await rm(path('log/checkpoint'));
    assert.equal(await rebuildIndex(lab.directory, again), undefined);
    assert.equal(again.records.length, 1200);
  });

  it('gives an idle log a heartbeat record (A-08)', async () => {
    const clock = createManualClock();
    const notes: string[] = [];
    const sequencer = await lab.openSequencer({
      clock,
      heartbeatMs: HOUR_MS,
      note: ({ action }) => notes.push(action),
    });
    await sequencer.step();
    clock.advance(HOUR_MS);
    await sequencer.step();
    await sequencer.step();
    assert.deepEqual(notes, ['log.heartbeat']);
    clock.advance(HOUR_MS);
    await sequencer.step();
    assert.equal(notes.length, 2);
  });

  it('takes records up although numbers before them are missing, tells the operator, and verification names them', async () => {
    const writer = await lab.openWriter();
    await recordMany(writer, 10);
    await writer.close();
    const file = path('wal/w1.0000000001.jsonl');
    const lines = (await readFile(file, 'utf8')).split('\n');
    await writeFile(file, lines.filter((_, at) => at !== 4).join('\n'));
    const sequencer = await lab.openSequencer();
    await sequencer.step();
    assert.equal(sequencer.size(), 9);
    assert.ok(lab.logger.lines.some(({ fields }) => fields.problem === 'hole'));
    const { damage } = await lab.verify();
    assert.deepEqual([damage?.kind, damage?.index, damage?.writer, damage?.seq], ['hole', 4, 'w1', 5]);
  });

  it('loses no record of a writer that began its numbers anew, and verification names the first', async () => {
    const writer = await lab.openWriter();
    await recordMany(writer, 10);
    await writer.close();
    const sequencer = await lab.openSequencer();
    await sequencer.close();
    // Both memories of the numbers are gone: the write-ahead files and the positions.
    await rm(path('wal'), { recursive: true });
    const positions = await readFile(path('log/positions'));
    await rm(path('log/positions'));
    const again = await lab.openWriter();
    await recordMany(again, 4);
    await writeFile(path('log/positions'), positions);
    const second = await lab.openSequencer();
    await second.step();
    assert.equal(second.size(), 14);
    assert.ok(lab.logger.lines.some(({ fields }) => fields.problem === 'repeated'));
    const { damage } = await lab.verify();
    assert.deepEqual([damage?.kind, damage?.index], ['repeated', 10]);
  });

  it('looks past files in the write-ahead directory that are not its own', async () => {
    const writer = await lab.openWriter();
    await writer.record(entry());
    await writeFile(path('wal/notes.txt'), 'hello');
    await writeFile(path('wal/W9.0000000001.jsonl'), 'hello\n');
    await mkdir(path('wal/folder'));
    const sequencer = await lab.openSequencer();
    await sequencer.step();
    assert.equal(sequencer.size(), 1);
  });

  it('is verified clean again and again while it runs and writers write', async function () {
    this.timeout(120_000);
    const writer = await lab.openWriter({ segmentBytesMax: 20_000 });
    const sequencer = await lab.openSequencer();
    let isRunning = true;
    const writing = (async () => {
      while (isRunning) await recordMany(writer, 20);
    })();
    const sequencing = (async () => {
      while (isRunning) await sequencer.step();
    })();
    let rounds = 0;
    while (sequencer.size() < 3000) {
      const report = await lab.verify();
      assert.equal(report.damage, undefined, report.damage?.message ?? '');
      rounds += 1;
    }
    assert.ok(rounds > 3);
    isRunning = false;
    await Promise.all([writing, sequencing]);
  });
});
