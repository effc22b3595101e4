import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkProof, exportRecords, loadOrCreateLogKey, openProver } from '../../src/audit/index.ts';
import { EMPTY_ROOT } from '../../src/audit/merkle.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { printRotation } from '../../src/audit/rotation.ts';
import { buildGoCheck } from './go-check.ts';
import { createLab, entry, type Lab, recordMany } from './lab.ts';

describe("the exchange of the log's key", function () {
  this.timeout(120_000);
  let lab: Lab;
  let firstKey: string;
  let firstCheckpoint: string;
  beforeEach(async () => {
    lab = await createLab();
  });
  afterEach(() => lab.end());

  const path = (name: string): string => join(lab.directory, name);
  const read = (name: string): Promise<string> => readFile(path(name), 'utf8');

  /** A log of 300 records whose key is exchanged, and 300 records after that. */
  async function exchange(): Promise<void> {
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer({ note: (told: AuditEntry) => writer.note(told) });
    await recordMany(writer, 300);
    await sequencer.step();
    firstKey = await read('log/key.pub');
    firstCheckpoint = await read('log/checkpoint');
    await rotate(sequencer);
    await recordMany(writer, 300);
    await sequencer.step();
    await sequencer.close();
    await writer.close();
  }

  async function rotate(sequencer: { step(): Promise<void> }): Promise<void> {
    const before = await read('log/key.pub');
    await loadOrCreateLogKey(path('keys/log.next.pem'));
    while ((await read('log/key.pub')) === before) await sequencer.step();
  }

  it('is told by a record, signed by both keys, and leads who knows the old key to the new one', async () => {
    await exchange();
    const report = await lab.verify({ publicKey: firstKey });
    assert.deepEqual([report.damage, report.size, report.rotations], [undefined, 601, 1]);
    assert.equal(report.publicKey, (await read('log/key.pub')).trim());
    assert.notEqual(report.publicKey, firstKey.trim());
    const told = lab.index.records.filter(({ record }) => record.action === 'log.key');
    assert.deepEqual(
      told.map(({ record }) => record.change),
      [{ before: firstKey.trim(), after: report.publicKey }],
    );
    assert.deepEqual(await readdir(path('keys')), ['log.pem'], 'the old key is gone');
    assert.equal((await lab.verify()).damage, undefined, 'by the new key alone');
  });

  it('leaves older checkpoints good to compare with and to go on from, and proofs to be made', async () => {
    await exchange();
    for (const name of ['against', 'since'] as const) {
      const { damage } = await lab.verify({ publicKey: firstKey, [name]: firstCheckpoint });
      assert.equal(damage, undefined, name);
    }
    const prover = await openProver({ directory: lab.directory, publicKey: firstKey });
    const proof = await prover.prove(5);
    assert.equal(checkProof(proof, { publicKey: await read('log/key.pub') }).isGood, true);
    assert.equal(
      checkProof(proof, { publicKey: firstKey }).isGood,
      false,
      'its checkpoint is by the new key',
    );
    await prover.proveContinuation(firstCheckpoint);
    const filter = {};
    const lines: string[] = [];
    const exported = { directory: lab.directory, publicKey: firstKey, filter, format: 'jsonl' as const };
    for await (const text of exportRecords(exported)) lines.push(text);
    assert.equal(lines.join('').split('\n').length, 602);
  });

  it('may come again, with a server in between', async () => {
    await exchange();
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer({ note: (told: AuditEntry) => writer.note(told) });
    await writer.record(entry());
    await rotate(sequencer);
    const report = await lab.verify({ publicKey: firstKey });
    assert.deepEqual([report.damage, report.rotations], [undefined, 2]);
  });

  it('takes no key that the old one did not sign for, and no exchange in another history', async () => {
    await exchange();
    const stranger = await loadOrCreateLogKey(path('stranger.pem'));
    const other = { name: 'dockgate/n1', ...stranger };
    const root = Buffer.alloc(32);
    await writeFile(path('log/rotation-1'), printRotation({ size: 300, root }, other, other));
    assert.equal((await lab.verify({ publicKey: firstKey })).damage?.kind, 'checkpoint');
    const now = { name: 'dockgate/n1', ...(await loadOrCreateLogKey(path('keys/log.pem'))) };
    await writeFile(path('log/rotation-1'), printRotation({ size: 300, root }, now, now));
    assert.equal((await lab.verify()).damage?.kind, 'older-copy');
    // One that the old key signed alone leads nowhere: its new key has not agreed.
    const unwilling = { ...other, sign: now.sign };
    await writeFile(path('log/rotation-1'), printRotation({ size: 0, root: EMPTY_ROOT }, now, unwilling));
    assert.deepEqual((await lab.verify()).damage, {
      kind: 'note',
      message: 'log/rotation-1 is not the exchange of a key that leads to the one that signs',
    });
  });

  it('does not happen with a file that is no key: the log goes on with the one it has', async () => {
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer();
    await writeFile(path('keys/log.next.pem'), 'nothing', { mode: 0o600 });
    await recordMany(writer, 10);
    await sequencer.step();
    await sequencer.step();
    assert.equal((await lab.verify()).damage, undefined);
    assert.equal(lab.logger.lines.filter(({ message }) => message.includes('cannot be used')).length, 1);
  });

  /** What was already new when the process ended; everything else is as it was before. */
  const cuts: readonly (readonly [string, readonly string[]])[] = [
    ['the checkpoint by both keys', ['log/checkpoint']],
    ['the exchange', ['log/checkpoint', 'log/rotation-1']],
    ['the private key', ['log/checkpoint', 'log/rotation-1', 'keys/log.pem']],
    ['all but the positions', ['log/checkpoint', 'log/rotation-1', 'keys/log.pem', 'log/key.pub']],
  ];
  for (const [last, names] of cuts) {
    it(`that ended after ${last} is ended by the next start`, async () => {
      const writer = await lab.openWriter();
      const told: AuditEntry[] = [];
      const sequencer = await lab.openSequencer({ note: (one: AuditEntry) => told.push(one) });
      await recordMany(writer, 20);
      await sequencer.step();
      firstKey = await read('log/key.pub');
      await loadOrCreateLogKey(path('keys/log.next.pem'));
      await sequencer.step();
      // The record of it is written; the next step covers it and exchanges the keys.
      for (const one of told) writer.note(one);
      await recordMany(writer, 1);
      const home = await mkdtemp(join(tmpdir(), 'dockgate-rotation-'));
      try {
        await cp(lab.directory, home, { recursive: true });
        await sequencer.step();
        const newKey = await read('log/key.pub');
        assert.notEqual(newKey, firstKey);
        await mkdir(join(home, 'log/tile'), { recursive: true });
        await cp(path('log/tile'), join(home, 'log/tile'), { recursive: true });
        for (const name of names) await cp(path(name), join(home, name));
        if (names.includes('keys/log.pem')) await rm(join(home, 'keys/log.next.pem'));
        await rm(join(home, 'wal/w1.lock'));
        await rm(join(home, 'sequencer.lock'));
        const again = await createLab(home);
        try {
          const next = await again.openWriter();
          const goesOn = await again.openSequencer({ note: (one: AuditEntry) => next.note(one) });
          for (let round = 0; round < 4; round += 1) {
            await recordMany(next, 1);
            await goesOn.step();
          }
          const report = await again.verify({ publicKey: firstKey });
          assert.deepEqual([report.damage, report.publicKey], [undefined, newKey.trim()]);
          assert.deepEqual(await readdir(join(home, 'keys')), ['log.pem']);
        } finally {
          await again.end();
        }
      } finally {
        await rm(home, { recursive: true, force: true });
      }
    });
  }

  it('is followed by Go, which shares nothing with us', async function () {
    const check = await buildGoCheck();
    // test/audit/go.test.ts says why.
    if (typeof check === 'string') return this.skip();
    try {
      await exchange();
      await writeFile(path('first.pub'), firstKey);
      for (const key of ['first.pub', 'log/key.pub']) {
        const { isGood, said } = await check.run('log', path('log'), path(key));
        assert.deepEqual([isGood, said], [true, '601 records'], key);
      }
      await rm(path('log/rotation-1'));
      assert.equal((await check.run('log', path('log'), path('first.pub'))).isGood, false);
    } finally {
      await check.end();
    }
  });
});
