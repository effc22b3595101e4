import assert from 'node:assert/strict';
import fc from 'fast-check';
import { safePrint, safeText } from '../../src/audit/index.ts';
import { encodeLine } from '../../src/audit/line.ts';
import { entry } from './lab.ts';

const stamp = { id: 'abc', time: '2026-11-24T11:35:19.123456Z', node: 'n1', writer: 'w1', seq: 7 };

describe('a record on a terminal', () => {
  it('reads as one line', () => {
    const principal = { kind: 'user', id: '1', name: 'ann', via: 'token' } as const;
    const { record } = encodeLine(
      entry({
        principal,
        reference: '1.4',
        client: { address: '127.0.0.1' },
        outcome: 'refused',
        status: 403,
        reason: 'grant.missing',
      }),
      stamp,
    );
    assert.equal(
      safePrint(record),
      '2026-11-24T11:35:19.123456Z refused 403 pull by ann (token) on team/app:1.4 from 127.0.0.1 because grant.missing [abc]',
    );
  });

  it('shows a digest as one', () => {
    const { record } = encodeLine(entry({ reference: 'sha256:abc', status: 0 }), stamp);
    assert.match(safePrint(record), /^\S+ allowed pull on team\/app@sha256:abc \[abc\]$/);
  });

  it('does nothing to the terminal, whatever a caller put into it (A-02)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { record } = encodeLine(
          entry({ note: text, action: text, reference: text, client: { address: text }, reason: text }),
          stamp,
        );
        assert.match(safePrint(record), /^[\x20-\x7e]+$/);
      }),
    );
    assert.equal(safeText('\u001b[2J\u202e\u2028"\\'), '\\u001b[2J\\u202e\\u2028"\\');
  });
});
