import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Retention } from '../../src/audit/border.ts';
import { addHold, removeHold } from '../../src/audit/holds.ts';
import {
  type AuditWriter,
  checkProof,
  exportRecords,
  loadOrCreateLogKey,
  NoProof,
  openProver,
  type Sequencer,
} from '../../src/audit/index.ts';
import { printPruned } from '../../src/audit/pruned.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { createManualClock, DAY_MS } from '../../src/base/index.ts';
import { buildGoCheck } from './go-check.ts';
import { createLab, entry, type Lab, recordMany } from './lab.ts';

describe('the retention of the log', function () {
  this.timeout(120_000);
  let lab: Lab;
  let clock: ReturnType<typeof createManualClock>;
  let writer: AuditWriter;
  let sequencer: Sequencer;
  let told: AuditEntry[];

  beforeEach(async () => {
    lab = await createLab();
    clock = createManualClock();
    told = [];
  });
  afterEach(() => lab.end());

  const path = (name: string): string => join(lab.directory, name);
  const bundle = (index: number): string => path(`log/tile/entries/00${index}`);

  async function open(retention: Retention): Promise<void> {
    writer = await lab.openWriter({ clock });
    const note = (one: AuditEntry): void => {
      told.push(one);
      writer.note(one);
    };
    sequencer = await lab.openSequencer({ clock, retention, pruneMs: 0, note });
  }

  /** Records come, and the sequencer goes on until what is due is done. */
  async function goOn(count: number): Promise<void> {
    await recordMany(writer, count);
    for (let step = 0; step < 4; step += 1) {
      await sequencer.step();
      // Durable, and what was noted before it with it.
      await writer.record(entry());
    }
    await sequencer.step();
  }

  /** 600 old records and 600 young ones. */
  async function oldAndYoung(): Promise<void> {
    await recordMany(writer, 600);
    await sequencer.step();
    clock.advance(40 * DAY_MS);
    await goOn(600);
  }

  it('by age removes whole bundles that are older, tells it first, and everything still verifies', async () => {
    await open({ ageMs: 30 * DAY_MS });
    await recordMany(writer, 600);
    await sequencer.step();
    const early = await readFile(path('log/checkpoint'), 'utf8');
    const proof = await (await openProver(await place())).prove(5);
    clock.advance(40 * DAY_MS);
    await goOn(600);
    assert.deepEqual(
      [0, 1, 2].map((at) => existsSync(bundle(at))),
      [false, false, true],
    );
    assert.ok(existsSync(path('log/tile/0/000')), 'the hashes stay');
    const report = await lab.verify({ against: early });
    assert.deepEqual([report.damage, report.keptFrom], [undefined, 512]);
    const since = await lab.verify({ since: early });
    assert.deepEqual([since.damage, since.from, since.keptFrom], [undefined, 600, 512]);
    const record = lab.index.records.find(({ index }) => index === report.prunedBy)?.record;
    assert.deepEqual(
      [record?.action, record?.reason, record?.count, record?.change],
      ['log.pruned', 'retention.age', 512, { before: 0, after: 512 }],
    );
    assert.equal(lab.index.records[0]?.index, 512, 'the index forgets them, too');
    const publicKey = await readFile(path('log/key.pub'), 'utf8');
    assert.equal(checkProof(proof, { publicKey }).isGood, true, 'a proof made before carries its record');
    const prover = await openProver(await place());
    await assert.rejects(
      prover.prove(5),
      (error) => error instanceof NoProof && /retention/.test(error.message),
    );
    await prover.prove(512);
    await prover.proveContinuation(early);
    const lines: string[] = [];
    for await (const text of exportRecords({ ...(await place()), filter: {}, format: 'jsonl' }))
      lines.push(text);
    assert.match(lines.join(''), /^\{"index":512,/);
  });

  async function place(): Promise<{ readonly directory: string; readonly publicKey: string }> {
    return { directory: lab.directory, publicKey: await readFile(path('log/key.pub'), 'utf8') };
  }

  it('by size removes the oldest until the rest fits, and goes on as the log grows', async () => {
    await open({ bytesMax: 80_000 });
    await goOn(600);
    const first = (await lab.verify()).keptFrom;
    assert.ok(first >= 256 && first < 600, `${first}`);
    await goOn(600);
    const second = await lab.verify();
    assert.equal(second.damage, undefined);
    assert.ok(second.keptFrom > first);
  });

  it('removes nothing without a setting, and nothing that is young', async () => {
    await open({});
    await oldAndYoung();
    assert.equal((await lab.verify()).keptFrom, 0);
    assert.deepEqual(told, []);
    await sequencer.close();
    sequencer = await lab.openSequencer({ clock, retention: { ageMs: 50 * DAY_MS }, pruneMs: 0 });
    await goOn(1);
    assert.ok(existsSync(bundle(0)));
  });

  it('goes on after a restart, and after the files of positions and transfers were lost', async () => {
    await open({ ageMs: 30 * DAY_MS });
    await oldAndYoung();
    await sequencer.close();
    for (const name of ['positions', 'transfers']) await rm(path(`log/${name}`));
    await lab.index.clear();
    sequencer = await lab.openSequencer({ clock });
    await recordMany(writer, 300);
    await sequencer.step();
    const report = await lab.verify();
    assert.deepEqual([report.damage, report.keptFrom, report.waiting], [undefined, 512, 0]);
    assert.equal(lab.index.records[0]?.index, 512);
  });

  it('stops at a record that a hold is about, tells holds that come and go, and goes on when it has gone', async () => {
    await open({ ageMs: 30 * DAY_MS });
    await recordMany(writer, 300);
    await writer.record(entry({ repository: 'team/case' }));
    await recordMany(writer, 300);
    const hold = {
      name: 'case-7',
      reason: 'court order 7',
      since: '2026-01-01T00:00:00.000000Z',
      filter: { repository: 'team/case' },
    };
    await addHold(lab.directory, hold);
    clock.advance(40 * DAY_MS);
    await goOn(300);
    assert.equal((await lab.verify()).keptFrom, 256);
    assert.equal(await removeHold(lab.directory, 'case-7'), true);
    assert.equal(await removeHold(lab.directory, 'case-7'), false);
    await goOn(10);
    assert.equal((await lab.verify()).keptFrom, 512);
    const holds = told.filter(({ action }) => action === 'log.hold');
    assert.deepEqual(
      holds.map(({ change }) => [Object(change?.before).name, Object(change?.after).name]),
      [
        [undefined, 'case-7'],
        ['case-7', undefined],
      ],
    );
  });

  for (const lose of ['removed', 'changed'] as const) {
    it(`tells a hold that was ${lose} while no server ran, by what the log told before`, async () => {
      const hold = { name: 'case-7', reason: 'order 7', since: '2026-01-01T00:00:00.000000Z', filter: {} };
      const start = () => lab.openSequencer({ clock, pruneMs: 0, note: (one) => writer.note(one) });
      const changes = () =>
        lab.index.records
          .filter(({ record }) => record.action === 'log.hold')
          .map(({ record }) => [Object(record.change?.before).name, Object(record.change?.after).filter]);
      writer = await lab.openWriter({ clock });
      await addHold(lab.directory, hold);
      for (let starts = 0; starts < 2; starts += 1) {
        sequencer = await start();
        await goOn(1);
        await goOn(1);
        await sequencer.close();
      }
      if (lose === 'removed') await removeHold(lab.directory, 'case-7');
      else await addHold(lab.directory, { ...hold, filter: { user: 'nobody' } });
      sequencer = await start();
      await goOn(1);
      await goOn(1);
      const last = lose === 'removed' ? undefined : { user: 'nobody' };
      assert.deepEqual(changes(), [
        [undefined, {}],
        [undefined, {}],
        ['case-7', last],
      ]);
      const told = `a hold of the access log was ${lose} while no server ran`;
      assert.ok(lab.logger.lines.some(({ message }) => message === told));
    });
  }

  it('removes nothing while a file of a hold cannot be understood', async () => {
    await open({ ageMs: 30 * DAY_MS });
    const hold = { name: 'x', reason: '', since: '', filter: {} };
    await addHold(lab.directory, hold);
    for (const text of ['{', '{}', '{"name":"x","reason":"","since":"","filter":{"who":"alice"}}']) {
      await writeFile(path('holds/x.json'), text);
      await goOn(1);
    }
    await oldAndYoung();
    assert.equal((await lab.verify()).keptFrom, 0);
    assert.ok(lab.logger.lines.some(({ message }) => message === 'old records not removed, will retry'));
    await assert.rejects(addHold(lab.directory, { ...hold, name: '../x' }), TypeError);
    assert.equal(await removeHold(lab.directory, '../x'), false);
  });

  it('keeps the decision of a transfer that has not ended', async () => {
    await open({ ageMs: 30 * DAY_MS });
    await recordMany(writer, 300);
    await writer.record(entry({ isTransfer: true }));
    await oldAndYoung();
    assert.equal((await lab.verify()).keptFrom, 256);
  });

  it('is found out where it was not told: a note alone, a bundle above the border, a border that was moved', async () => {
    await open({ ageMs: 30 * DAY_MS });
    await oldAndYoung();
    const key = await loadOrCreateLogKey(path('keys/log.pem'));
    const signer = { name: 'dockgate/n1', ...key };
    const kept = await readFile(path('log/pruned'), 'utf8');
    const third = await readFile(bundle(2));
    await rm(bundle(2));
    assert.deepEqual(codeOf(await lab.verify()), ['removed', 512]);
    // Even the holder of the key needs a record for it.
    const writers = new Map([['w1', { seq: 768, leaf: Buffer.alloc(32) }]]);
    await writeFile(path('log/pruned'), printPruned({ size: 768, writers, toldAt: 900 }, signer));
    assert.deepEqual(codeOf(await lab.verify()), ['removed', 0]);
    await writeFile(path('log/pruned'), kept.replace('\n512\n', '\n768\n'));
    assert.deepEqual(
      codeOf(await lab.verify()),
      ['removed', 0],
      'a note that nobody signed counts for nothing',
    );
    await writeFile(path('log/pruned'), kept);
    await writeFile(bundle(2), third);
    assert.equal((await lab.verify()).damage, undefined);
    const tile = await readFile(path('log/tile/0/000'));
    tile[0] = (tile[0] ?? 0) ^ 1;
    await writeFile(path('log/tile/0/000'), tile);
    assert.equal((await lab.verify()).damage?.kind, 'rewritten');
  });

  function codeOf({ damage }: Awaited<ReturnType<Lab['verify']>>): unknown {
    return [damage?.kind, damage?.index];
  }

  it('that a crash ended between note and removal is ended by the next start', async () => {
    await open({ ageMs: 30 * DAY_MS });
    await recordMany(writer, 600);
    await sequencer.step();
    const home = await mkdtemp(join(tmpdir(), 'dockgate-pruned-'));
    try {
      await cp(path('log/tile/entries'), home, { recursive: true });
      clock.advance(40 * DAY_MS);
      await goOn(600);
      await sequencer.close();
      // One of two was removed already: the oldest goes first.
      await cp(join(home, '001'), bundle(1));
      assert.equal((await lab.verify()).damage, undefined);
      sequencer = await lab.openSequencer({ clock });
      await sequencer.step();
      assert.equal(existsSync(bundle(1)), false);
      assert.equal((await lab.verify()).damage, undefined);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });

  it('is understood by Go, which shares nothing with us', async function () {
    const check = await buildGoCheck();
    // test/audit/go.test.ts says why.
    if (typeof check === 'string') return this.skip();
    try {
      await open({ ageMs: 30 * DAY_MS });
      await oldAndYoung();
      const { isGood, said } = await check.run('log', path('log'), path('log/key.pub'));
      assert.deepEqual([isGood, /^\d+ records, 512 of them removed$/.test(said)], [true, true], said);
      await rm(path('log/pruned'));
      assert.equal((await check.run('log', path('log'), path('log/key.pub'))).isGood, false);
    } finally {
      await check.end();
    }
  });
});
