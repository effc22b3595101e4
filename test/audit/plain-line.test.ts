import assert from 'node:assert/strict';
import fc from 'fast-check';
import { encodeLine, parseLine } from '../../src/audit/line.ts';
import { nameLine } from '../../src/audit/plain-line.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { entry } from './lab.ts';

const STAMP = { id: 'r-1', time: '2026-11-24T11:35:19.123456Z', node: 'n1', writer: 'w1', seq: 7 };

function nameBySlowWay(line: Buffer): object | undefined {
  const record = parseLine(line);
  return record && { node: record.node, writer: record.writer, seq: record.seq };
}

function sameOf(line: Buffer): void {
  const found = nameLine(line);
  const named = found && { node: found.node, writer: found.writer, seq: found.seq };
  assert.deepEqual(named, nameBySlowWay(line), line.toString('latin1'));
}

const number = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 31 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: 0, max: 10 ** 9 }).map((value) => value / 1000),
);
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }));
const flag = fc.boolean();
const entries: fc.Arbitrary<Partial<AuditEntry>> = fc.record(
  {
    status: number,
    reason: text,
    principal: fc.record({
      kind: text,
      id: text,
      name: text,
      via: fc.constant('token' as const),
      tokenId: text,
    }),
    client: fc.record({ address: text, userAgent: text }),
    method: text,
    repository: text,
    reference: text,
    digest: text,
    because: text,
    verdict: fc.record({
      outcome: text,
      reasons: fc.array(fc.record({ policy: text, rule: text, findings: fc.array(text) }), { maxLength: 3 }),
    }),
    isTransfer: flag,
    change: fc.record({ before: fc.jsonValue(), after: fc.jsonValue() }, { requiredKeys: [] }),
    bytes: number,
    durationMs: number,
    isAborted: flag,
    count: number,
    note: text,
  },
  { requiredKeys: [] },
);

describe('the quick reading of a line', () => {
  it('names each record that the writer prints as the careful reading does', () => {
    fc.assert(
      fc.property(entries, (given) => {
        sameOf(Buffer.from(encodeLine(entry(given), STAMP).text, 'latin1'));
      }),
    );
  });

  it('takes nothing for a record that the careful reading does not: bytes changed, taken out and put in (A-28)', () => {
    const line = Buffer.from(
      encodeLine(
        entry({
          principal: { kind: 'user', id: 'u', name: 'alice', via: 'basic' },
          client: { address: '192.0.2.1', userAgent: 'x' },
          verdict: { outcome: 'block', reasons: [{ policy: 'p', rule: 'r', findings: ['a', 'b'] }] },
          durationMs: 12.25,
          bytes: 10,
        }),
        STAMP,
      ).text,
      'latin1',
    );
    fc.assert(
      fc.property(
        fc.nat(line.length - 1),
        fc.constantFrom('change', 'insert', 'remove', 'double'),
        fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('"\\,{}[]0. e-+\n\x7f'))),
        (at, how, byte) => {
          const [head, tail] = [line.subarray(0, at), line.subarray(at + 1)];
          const one = Buffer.from([byte]);
          const parts = {
            change: [head, one, tail],
            insert: [head, one, line.subarray(at)],
            remove: [head, tail],
            double: [head, line.subarray(at, at + 9), line.subarray(at)],
          }[how];
          sameOf(Buffer.concat(parts));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('knows numbers only as JSON prints them, fields in any order and no line that is too long', () => {
    const line = encodeLine(entry({ durationMs: 12.25 }), STAMP).text;
    for (const number of ['12.250', '012.25', '1.2e1', '+1', '.5', '1.', '-0', '0.0000001', '1e21']) {
      sameOf(Buffer.from(line.replace('12.25', number)));
    }
    sameOf(Buffer.from(line.replace('"v":1,', '').replace('{', '{"note":"x","v":1,')));
    sameOf(Buffer.from(line.replace('12.25}', `12.25,"note":"${'x'.repeat(16 * 1024)}"}`)));
    sameOf(Buffer.from(`${line}\n`));
  });
});
