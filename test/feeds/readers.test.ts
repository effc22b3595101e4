import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readEpss, readKev } from '../../src/feeds/index.ts';
import { EPSS, epssOf, KEV, kevOf } from './documents.ts';

const bytes = (text: string) => Buffer.from(text);
const entriesOf = (text: string) => [...readEpss(bytes(text)).pieces].flat();

describe("FIRST's list of EPSS scores", () => {
  it('is read with the day of its scores', () => {
    assert.equal(readEpss(bytes(EPSS)).madeAtMs, Date.UTC(2026, 4, 31));
    assert.deepEqual(entriesOf(EPSS), [
      { cve: 'CVE-1999-0001', score: 0.01025, percentile: 0.76816 },
      { cve: 'CVE-2026-7777', score: 0.94, percentile: 0.999 },
    ]);
  });

  it('is read with the marks of any system, and with the zone as it was written before', () => {
    const older = EPSS.replace('T00:00:00Z', 'T00:00:00+0000').replaceAll('\n', '\r\n');
    assert.equal(readEpss(bytes(older)).madeAtMs, Date.UTC(2026, 4, 31));
    assert.equal(entriesOf(older).length, 2);
  });

  for (const [title, text, problem] of [
    ['without a day', EPSS.replace('score_date', 'date'), /no comment with score_date/],
    ['of a day that does not exist', EPSS.replace('2026-05-31', '2026-13-31'), /no comment with score_date/],
    ['with other columns', EPSS.replace('percentile', 'rank'), /no header cve,epss,percentile/],
    ['that is a page', '<html>\n', /no comment with score_date/],
    ['that is empty', '', /no comment with score_date/],
    ['cut in a line', EPSS.slice(0, -3), /does not end with a line break: it was cut/],
    ['with a score above 1', EPSS.replace('0.94', '1.01'), /line 4 is not CVE/],
    ['with a score that is no number', EPSS.replace('0.94', '.'), /line 4 is not CVE/],
    ['with a name that is no CVE', EPSS.replace('CVE-2026-7777', 'CVE-X'), /line 4 is not CVE/],
    ['with more columns in a row', EPSS.replace('0.999', '0.999,1'), /line 4 is not CVE/],
  ] as const) {
    it(`is refused ${title}`, () => {
      assert.throws(() => entriesOf(text), { name: 'FeedProblem', message: problem });
    });
  }

  it('is read as it was written, however many there are', () => {
    const part = fc.integer({ min: 0, max: 100_000 }).map((value) => value / 100_000);
    const row = fc.record({ number: fc.integer({ min: 1, max: 99_999 }), score: part, percentile: part });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 5000, size: 'max' }), (rows) => {
        const wanted = rows.map(({ number, ...scores }) => ({
          ...{ cve: `CVE-2026-${String(number).padStart(4, '0')}`, ...scores },
        }));
        assert.deepEqual(entriesOf(epssOf(wanted)), wanted);
      }),
      { numRuns: 10 },
    );
  });
});

describe("CISA's catalog", () => {
  it('is read with its dates; the due date is over at its end', () => {
    const { madeAtMs, pieces } = readKev(bytes(KEV));
    assert.equal(madeAtMs, Date.UTC(2026, 4, 30, 17));
    assert.deepEqual([...pieces].flat(), [
      { cve: 'CVE-2026-7777', addedAtMs: Date.UTC(2026, 4, 20), dueAtMs: Date.UTC(2026, 5, 11) },
    ]);
  });

  for (const [title, text, problem] of [
    ['that is no JSON', KEV.slice(0, -2), /is no JSON/],
    ['that is something else', '{"vulnerabilities":[]}', /is no KEV catalog: catalogVersion/],
    ['without entries', kevOf([]), /is no KEV catalog: vulnerabilities/],
    [
      'with fewer entries than it says',
      KEV.replace('"count":1', '"count":2'),
      /says that it has 2 .* has 1: it was cut/,
    ],
    ['with an entry twice', kevOf(['CVE-2026-7777', 'CVE-2026-7777']), /says that it has 2 .* has 1/],
    ['with a date that is none', KEV.replace('2026-06-10', 'soon'), /vulnerabilities\.0\.dueDate/],
    ['with a name that is no CVE', KEV.replace('CVE-2026-7777', 'GHSA-1'), /vulnerabilities\.0\.cveID/],
  ] as const) {
    it(`is refused ${title}`, () => {
      assert.throws(() => readKev(bytes(text)), { name: 'FeedProblem', message: problem });
    });
  }
});
