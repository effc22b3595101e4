import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AccessRecord, AuditWriter, Sequencer } from '../../src/audit/index.ts';
import { createTransfers } from '../../src/audit/transfers.ts';
import { createLab, entry, type Lab, recordMany } from './lab.ts';

describe('a transfer whose process ended before it told how it went (A-19)', () => {
  let lab: Lab;
  let house: AuditWriter;
  let sequencer: Sequencer;
  beforeEach(async () => {
    lab = await createLab();
    house = await lab.openWriter({ writer: 'house' });
    await openSequencer();
  });
  afterEach(() => lab.end());

  const openSequencer = async (): Promise<void> => {
    sequencer = await lab.openSequencer({ complete: (each) => house.record(each) });
  };
  /** As often as a told outcome needs to be in the log. */
  const sequence = async (): Promise<void> => {
    for (let step = 0; step < 3; step += 1) {
      await sequencer.step();
      await house.record(entry({ action: 'list' }));
    }
  };
  const restart = async (): Promise<void> => {
    await sequencer.close();
    await openSequencer();
  };
  const transfer = (requestId: string) => entry({ requestId, isTransfer: true, digest: 'sha256:aa' });
  const unknown = (): readonly AccessRecord[] =>
    lab.index.records.map(({ record }) => record).filter(({ reason }) => reason === 'outcome.unknown');

  /** w1 begins three transfers, tells the end of one, and is there again. */
  const beginAndEnd = async (): Promise<void> => {
    const writer = await lab.openWriter();
    for (const id of ['a', 'b', 'c']) await writer.record(transfer(id));
    await writer.record(entry({ requestId: 'refused', isTransfer: true, outcome: 'refused' }));
    await writer.record(entry({ requestId: 'whole' }));
    writer.complete({ ...transfer('b'), kind: 'completion', bytes: 5 });
    await writer.close();
  };

  it('is closed as of unknown outcome when the process is there again, once, with what was asked', async () => {
    await beginAndEnd();
    await sequence();
    assert.deepEqual(unknown(), [], 'nobody knows yet that the process has ended');
    const again = await lab.openWriter();
    await again.record(transfer('later'));
    await sequence();
    await sequence();
    assert.deepEqual(
      unknown()
        .map(({ requestId }) => requestId)
        .sort(),
      ['a', 'c'],
    );
    const [first] = unknown();
    assert.deepEqual(
      [first?.kind, first?.writer, first?.action, first?.repository, first?.digest, first?.status],
      ['completion', 'house', 'pull', 'team/app', 'sha256:aa', 200],
    );
    assert.match(first?.note ?? '', /^w1 ended before it told/);
    assert.equal((await lab.verify()).damage, undefined);
  });

  for (const [what, spoil] of [
    ['its file is kept', async () => undefined],
    ['its file is lost', async (path: string) => rm(path)],
    [
      'its file is forged',
      async (path: string) => writeFile(path, (await readFile(path, 'utf8')).replace('0', '1')),
    ],
  ] as const) {
    it(`is closed though the sequencer was started anew meanwhile and ${what}`, async () => {
      await beginAndEnd();
      await sequencer.step();
      await restart();
      await spoil(join(lab.directory, 'log', 'transfers'));
      await restart();
      await lab.openWriter();
      await restart();
      await sequence();
      await restart();
      await sequence();
      assert.deepEqual(
        unknown()
          .map(({ requestId }) => requestId)
          .sort(),
        ['a', 'c'],
      );
      assert.equal((await lab.verify()).damage, undefined);
    });
  }

  it('is not closed by the start of another process', async () => {
    await beginAndEnd();
    const other = await lab.openWriter({ writer: 'w2' });
    await recordMany(other, 1);
    await other.close();
    await lab.openWriter({ writer: 'w2' });
    await sequence();
    assert.deepEqual(unknown(), []);
  });

  it('is forgotten when there are more than the list holds, oldest first', () => {
    const transfers = createTransfers();
    const record = (requestId: string, rest: Partial<AccessRecord>): AccessRecord => ({
      ...transfer(requestId),
      ...{ v: 1, id: 'x', time: '2026-11-24T11:35:19.123456Z', node: 'n1', writer: 'w1', seq: 1 },
      ...rest,
    });
    for (let index = 0; index < 3000; index += 1) transfers.meet(index, record(`r${index}`, {}));
    transfers.meet(3000, record('x', { kind: 'system', action: 'log.reopened' }));
    const ids = transfers.ended().map(({ requestId }) => requestId);
    assert.deepEqual([ids.length, ids[0], ids.at(-1)], [2048, 'r952', 'r2999']);
  });
});
