import assert from 'node:assert/strict';
import fc from 'fast-check';
import { toCef } from '../../src/audit/cef.ts';
import { csvHead, toCsv } from '../../src/audit/csv.ts';
import { encodeLine, parseLine } from '../../src/audit/line.ts';
import { toOcsf } from '../../src/audit/ocsf.ts';
import { safePrint, safeText } from '../../src/audit/print.ts';
import type { AccessRecord, AuditEntry } from '../../src/audit/record.ts';
import { plainJson, table } from '../../src/cli/output.ts';
import { printSyslog } from '../../src/outlets/syslog-message.ts';
import { parseCsvLine } from './csv-line.ts';
import { entry } from './lab.ts';

/** What somebody sends who wants a second line, a second field, a formula, a colour or a text that reads backwards. */
const HOSTILE = [
  'x\r\n{"v":1,"outcome":"allowed","forged":true}',
  '\n<13>1 2026-01-01T00:00:00Z h a - - - forged',
  '\u0000\u0001\u007f\u0080\u009b31m',
  '\u001b[2J\u001b]0;owned\u0007',
  '\u202egnp.exe\u202c \u2066x\u2069 \u200f\u061c',
  '\u2028\u2029\u0085\u00a0\ufeff\u200b',
  '\ud800 lone \udfff',
  '=HYPERLINK("http://evil","x")',
  "+1+cmd|'/c calc'!A0",
  '-2+3',
  '@SUM(1)',
  '\t=1',
  '"; "x","y"',
  '|a=b|CEF:0|x|cs1=\\=\\|',
  '] [other@1 id="x"]',
  "<script>alert(1)</script>&quot;'",
  `%0d%0a$\{jndi:ldap://x}`,
  'é ünï 漢字 🙂',
];

const hostile = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
  fc.array(fc.constantFrom(...HOSTILE), { minLength: 2, maxLength: 3 }).map((parts) => parts.join('')),
);

/** Every field that a caller has a say in, and how it comes into an entry. */
const FIELDS: readonly (readonly [
  string,
  (text: string) => Partial<AuditEntry>,
  (record: AccessRecord) => unknown,
])[] = [
  [
    'the user agent',
    (text) => ({ client: { address: '192.0.2.1', userAgent: text } }),
    (record) => record.client?.userAgent,
  ],
  [
    'the address (X-Forwarded-For)',
    (text) => ({ client: { address: text } }),
    (record) => record.client?.address,
  ],
  [
    'the name of a user or the subject of a certificate',
    (text) => ({ principal: { kind: 'user', id: 'u', name: text, via: 'certificate' } }),
    (record) => record.principal?.name,
  ],
  [
    "a robot's id",
    (text) => ({ principal: { kind: 'robot', id: text, name: 'r', via: 'robot' } }),
    (record) => record.principal?.id,
  ],
  [
    "a token's id",
    (text) => ({ principal: { kind: 'user', id: 'u', name: 'u', via: 'token', tokenId: text } }),
    (record) => record.principal?.tokenId,
  ],
  ['the method', (text) => ({ method: text }), (record) => record.method],
  ['a repository that was refused', (text) => ({ repository: text }), (record) => record.repository],
  ['the reference', (text) => ({ reference: text }), (record) => record.reference],
  ['the digest', (text) => ({ digest: text }), (record) => record.digest],
  ['a reason or ticket, the path or query in a note', (text) => ({ note: text }), (record) => record.note],
  ['what a change was before', (text) => ({ change: { before: text } }), (record) => record.change?.before],
  ['what a change is after', (text) => ({ change: { after: text } }), (record) => record.change?.after],
  ['the name of a rule', (text) => ({ because: text }), (record) => record.because],
  [
    'a finding in an image',
    (text) => ({ verdict: { outcome: 'block', reasons: [{ policy: 'p', rule: 'r', findings: [text] }] } }),
    (record) => record.verdict?.reasons[0]?.findings[0],
  ],
];

const ASCII = /^[\x20-\x7e]*$/;
const STAMP = { id: 'id-1', time: '2026-11-24T11:35:19.123456Z', node: 'n1', writer: 'w1', seq: 1 };

describe('what a caller writes into a field (A-02, A-03)', () => {
  for (const [field, put, read] of FIELDS) {
    const check = (what: string, test: (record: AccessRecord, line: Buffer, text: string) => void): void => {
      it(`reads back as data ${what}: ${field}`, () => {
        fc.assert(
          fc.property(hostile, (text) => {
            const { record, text: line } = encodeLine(entry({ requestId: 'q', ...put(text) }), STAMP);
            test(record, Buffer.from(line, 'latin1'), text);
          }),
          { numRuns: 60 },
        );
      });
    };

    check('in the file', (record, line, text) => {
      assert.match(line.toString('latin1'), ASCII);
      const again = parseLine(line);
      assert.deepEqual(again, record);
      assert.equal(again && read(again), text);
    });

    check('on a terminal and in a table', (record, _, text) => {
      assert.match(safePrint(record), ASCII);
      const lines = table(['WHAT', 'MORE'], [[text, 'end']]).split('\n');
      assert.equal(lines.length, 2);
      assert.doesNotMatch(lines[1] ?? '', /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      assert.deepEqual(JSON.parse(plainJson({ text })), { text });
    });

    check('in CSV, and runs as no formula', (record) => {
      const row = toCsv(7, record);
      assert.match(row, ASCII);
      const cells = parseCsvLine(row);
      assert.equal(cells.length, parseCsvLine(csvHead()).length);
      for (const cell of cells) assert.doesNotMatch(cell, /^[\s]*[=+\-@|%]/);
      const value = read(record);
      if (typeof value === 'string' && record.change === undefined && record.because === undefined) {
        const plain = safeText(value);
        assert.ok(
          cells.some((cell) => cell === plain || cell === `'${plain}`),
          `${plain} in ${row}`,
        );
      }
    });

    check('in syslog, CEF and OCSF', (record, line) => {
      const harmless = encodeLine(entry({ requestId: 'q', ...put(plainOf(field)) }), STAMP).record;
      const cef = toCef(record);
      assert.match(cef, ASCII);
      assert.deepEqual(keysOf(cef), keysOf(toCef(harmless)));
      const head =
        /^<(110|108)>1 2026-11-24T11:35:19\.123456Z n1 dockgate w1 \S+ \[dockgate@32473 id="id-1" index="7"\] (.*)$/;
      for (const format of ['json', 'cef', 'ocsf'] as const) {
        const message = printSyslog({ index: 7, line, record }, format);
        assert.match(message, ASCII);
        const body = head.exec(message)?.[2] ?? '';
        if (format === 'cef') assert.equal(body, cef);
        if (format === 'json') assert.deepEqual(parseLine(Buffer.from(body)), record);
        if (format === 'ocsf') assert.deepEqual(JSON.parse(body), JSON.parse(JSON.stringify(toOcsf(record))));
      }
    });
  }
});

/** What stands in the field of an honest caller. */
function plainOf(field: string): string {
  return field.startsWith('the address') ? '2001:db8::1' : 'plain';
}

/** The keys after the seven bars of the head: bars in values stand for themselves, and `=` is escaped. */
function keysOf(cef: string): readonly string[] {
  const match = /^CEF:0\|(?:[^|\\]|\\.)*(?:\|(?:[^|\\]|\\.)*){5}\|(.*)$/.exec(cef);
  assert.ok(match, cef);
  return [...(match[1] ?? '').matchAll(/(?:^| )([A-Za-z0-9]+)=/g)].map(([, key = '']) => key);
}
