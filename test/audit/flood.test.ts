import assert from 'node:assert/strict';
import { createFlood } from '../../src/audit/flood.ts';
import { entry } from './lab.ts';

const LIMITS = { notesPerSecond: 100, notesPerSecondAndAddress: 10 };
const from = (address: string) => entry({ action: 'challenge', client: { address } });

describe('the flood limits', () => {
  it('let 10 notes a second of one address through and count the rest (A-27)', () => {
    const flood = createFlood(LIMITS);
    const admitted = Array.from({ length: 50 }, () => flood.admit(from('10.0.0.1'), 500)).filter(Boolean);
    assert.equal(admitted.length, 10);
    assert.equal(flood.admit(from('10.0.0.2'), 500), true);
    assert.equal(flood.takeSummary()?.count, 40);
  });

  it('let 100 a second through in all, then a summary that names kinds and addresses (A-27)', () => {
    const flood = createFlood(LIMITS);
    const admitted = Array.from({ length: 1000 }, (_, at) => flood.admit(from(`10.0.0.${at % 200}`), 999));
    assert.equal(admitted.filter(Boolean).length, 100);
    const summary = flood.takeSummary();
    assert.equal(summary?.count, 900);
    assert.match(summary?.note ?? '', /^challenge \(900\); from 10\.0\.0\.\d+ \(\d\).* and 195 more$/);
    assert.equal(flood.takeSummary(), undefined);
  });

  it('begin anew with each second', () => {
    const flood = createFlood(LIMITS);
    for (let second = 0; second < 5; second += 1) {
      const admitted = Array.from({ length: 20 }, () => flood.admit(from('10.0.0.1'), second * 1000));
      assert.equal(admitted.filter(Boolean).length, 10);
    }
  });

  it('do not grow with the number of addresses', () => {
    const flood = createFlood(LIMITS);
    for (let at = 0; at < 100_000; at += 1) flood.admit(from(`address-${at}`), 1);
    const summary = flood.takeSummary();
    assert.equal(summary?.count, 99_900);
    assert.ok((summary?.note.length ?? 0) < 600);
  });
});
