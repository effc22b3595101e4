import assert from 'node:assert/strict';
import { encodeLine } from '../../src/audit/line.ts';
import { createRecentRecords } from '../../src/audit/recent.ts';
import type { AccessRecord } from '../../src/audit/record.ts';
import { entry } from './lab.ts';

const stamp = { id: 'a'.repeat(26), time: '2026-11-24T11:35:19.123456Z', node: 'n1', writer: 'w1', seq: 1 };
const record: AccessRecord = encodeLine(entry(), stamp).record;

describe('the newest records, kept for what follows the log', () => {
  const meetAll = (recent: ReturnType<typeof createRecentRecords>, from: number, to: number): void => {
    for (let index = from; index < to; index += 1) recent.meet(index, record);
  };
  const indexes = (recent: ReturnType<typeof createRecentRecords>, from: number): readonly number[] =>
    recent.takeFrom(from).map(({ index }) => index);

  it('are handed out once, from the leaf that is asked for', () => {
    const recent = createRecentRecords();
    meetAll(recent, 10, 14);
    assert.equal(recent.first(), 10);
    assert.deepEqual(indexes(recent, 12), [12, 13]);
    assert.deepEqual([recent.first(), indexes(recent, 0)], [Number.POSITIVE_INFINITY, []]);
  });

  it('never have a hole: what comes after one is the beginning', () => {
    const recent = createRecentRecords();
    meetAll(recent, 0, 5);
    meetAll(recent, 7, 9);
    assert.deepEqual([recent.first(), indexes(recent, 0)], [7, [7, 8]]);
  });

  it('are bounded: nobody who falls behind fills the memory', () => {
    const recent = createRecentRecords();
    meetAll(recent, 0, 20_000);
    const first = recent.first();
    assert.ok(first > 0);
    assert.equal(recent.takeFrom(0).length, 20_000 - first);
  });
});
