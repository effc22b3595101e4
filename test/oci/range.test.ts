import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseChunkRange, parseRange } from '../../src/oci/index.ts';
import { cpuMsOf } from '../support/cpu-time.ts';

describe('a Range header', () => {
  const cases: readonly [string | undefined, number, ReturnType<typeof parseRange>][] = [
    [undefined, 10, undefined],
    ['bytes=0-0', 10, { first: 0, last: 0 }],
    ['bytes=2-5', 10, { first: 2, last: 5 }],
    ['bytes=2-', 10, { first: 2, last: 9 }],
    ['bytes=0-99', 10, { first: 0, last: 9 }],
    ['bytes=-3', 10, { first: 7, last: 9 }],
    ['bytes=-99', 10, { first: 0, last: 9 }],
    [' bytes=1-2 ', 10, { first: 1, last: 2 }],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=10-11', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-5', 0, 'unsatisfiable'],
    ['bytes=5-2', 10, 'unsatisfiable'],
    ['bytes=-', 10, undefined],
    ['bytes=', 10, undefined],
    ['bytes=0-0,2-2', 10, undefined],
    ['bytes=99999999999999999999-', 10, undefined],
    ['bytes=999999999999999-', 10, 'unsatisfiable'],
    ['bytes=1e3-', 10, undefined],
    ['bytes=0x1-', 10, undefined],
    ['bytes=+1-', 10, undefined],
    ['bytes=--1', 10, undefined],
    ['items=0-1', 10, undefined],
    ['bytes 0-1', 10, undefined],
  ];
  for (const [header, size, expected] of cases) {
    it(`H-35: "${header ?? ''}" on ${size} bytes is ${JSON.stringify(expected) ?? 'the whole'}`, () =>
      assert.deepEqual(parseRange(header, size), expected));
  }

  it('H-35: never names a byte that is not there', () => {
    const header = fc.oneof(
      fc.string(),
      fc.tuple(fc.nat(), fc.nat()).map(([first, last]) => `bytes=${first}-${last}`),
      fc.nat().map((count) => `bytes=-${count}`),
      fc.nat().map((first) => `bytes=${first}-`),
    );
    fc.assert(
      fc.property(header, fc.nat(100_000), (text, size) => {
        const range = parseRange(text, size);
        if (range === undefined || range === 'unsatisfiable') return;
        assert.ok(range.first >= 0 && range.first <= range.last && range.last < size, JSON.stringify(range));
      }),
      { numRuns: 1000 },
    );
  });

  it('H-35: is read at once when it holds ten thousand ranges', async () => {
    const spentMs = await cpuMsOf(() =>
      assert.equal(parseRange(`bytes=${'0-0,'.repeat(10_000)}`, 10), undefined),
    );
    assert.ok(spentMs < 2000, `${spentMs} ms`);
  });
});

describe('the Content-Range of a chunk', () => {
  for (const [header, first, last] of [
    ['0-1023', 0, 1023],
    ['5-5', 5, 5],
    ['bytes 0-9/*', 0, 9],
    ['bytes=0-9', 0, 9],
    ['0-9/10', 0, 9],
  ] as const) {
    it(`may be "${header}"`, () => assert.deepEqual(parseChunkRange(header), { first, last }));
  }
  for (const header of [
    '',
    '5-4',
    '-5',
    '5-',
    'a-b',
    '0-9,10-12',
    '0-1234567890123456',
    'bytes */10',
    '0–9',
  ]) {
    it(`is never "${header}"`, () => assert.equal(parseChunkRange(header), undefined));
  }
});
