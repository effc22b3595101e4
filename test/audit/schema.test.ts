import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { printFieldTable, RECORD_SCHEMA } from '../../src/audit/index.ts';
import { encodeLine } from '../../src/audit/line.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { entry } from './lab.ts';
import { createRecordCheck } from './record-check.ts';

const docs = (name: string): string =>
  readFileSync(join(import.meta.dirname, '..', '..', 'docs', name), 'utf8');
const stamp = { id: 'a', time: '2026-11-24T11:35:19.123456Z', node: 'n1', writer: 'w1', seq: 1 };

describe('the schema of a record', () => {
  const problemOf = createRecordCheck();

  it('is the one in docs, and so is the table of fields (else: npm run generate)', () => {
    assert.deepEqual(JSON.parse(docs('audit-schema.json')), RECORD_SCHEMA);
    assert.ok(docs('audit-fields.md').includes(printFieldTable()));
  });

  it('says of every field what it is', () => {
    const describe = (schema: unknown, path: string): void => {
      if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return;
      const { properties, description } = { properties: {}, description: '', ...schema };
      if (path !== '') assert.ok(description.length > 5, path);
      for (const [key, member] of Object.entries(properties)) describe(member, `${path}.${key}`);
    };
    describe(RECORD_SCHEMA, '');
  });

  it('holds for whatever a caller puts into the fields', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('x'.repeat(5000), '\u0000'.repeat(3000)),
    );
    const facts = fc.record<Partial<AuditEntry>>(
      {
        kind: fc.constantFrom('decision', 'completion', 'summary', 'system'),
        outcome: fc.constantFrom('allowed', 'refused'),
        status: fc.integer({ min: 0, max: 599 }),
        reason: text,
        principal: fc.record({ kind: text, id: text, name: text, via: fc.constantFrom('basic', 'token') }),
        client: fc.record({ address: text, userAgent: text }),
        repository: text,
        verdict: fc.record({
          outcome: text,
          reasons: fc.array(fc.record({ policy: text, rule: text, findings: fc.array(text) }), {
            maxLength: 40,
          }),
        }),
        change: fc.record({ before: fc.anything(), after: fc.anything() }),
        bytes: fc.nat(),
        isAborted: fc.boolean(),
        note: text,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(facts, (rest) => {
        const { text: line } = encodeLine(entry(rest), stamp);
        assert.equal(problemOf(JSON.parse(line)), undefined);
      }),
      { numRuns: 40 },
    );
  });

  it('refuses a field it does not know, one that is missing and one of another type', () => {
    const record = JSON.parse(encodeLine(entry(), stamp).text);
    assert.equal(problemOf(record), undefined);
    assert.match(problemOf({ ...record, password: 'x' }) ?? '', /additional/);
    assert.match(problemOf({ ...record, principal: { kind: 'user' } }) ?? '', /required/);
    assert.match(problemOf({ ...record, v: 2 }) ?? '', /constant/);
    assert.match(problemOf({ ...record, time: '2026-11-24T11:35:19Z' }) ?? '', /pattern/);
    const { id, ...without } = record;
    assert.match(problemOf(without) ?? '', /required property 'id'/);
  });
});
