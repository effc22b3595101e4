import assert from 'node:assert/strict';
import fc from 'fast-check';
import { plainJson, plainLines, plainText, table } from '../../src/cli/output.ts';

/** Escape sequences, C1, bidi and invisible characters, a line separator, NUL, half a pair, a tag character. */
const HOSTILE = `\u001b]0;pwn\u0007\u009b2J\u202e\u2066\u200b\u2028\u0000${String.fromCharCode(0xd800)}${String.fromCodePoint(0xe0001)}`;

describe('what a command prints', () => {
  it('A-02: holds nothing that a terminal acts on', () => {
    assert.equal(
      plainText(`a${HOSTILE}b`),
      'a\\u001b]0;pwn\\u0007\\u009b2J\\u202e\\u2066\\u200b\\u2028\\u0000\\ud800\\ue0001b',
    );
    assert.equal(plainLines('a\u001b\nb'), 'a\\u001b\nb');
    assert.equal(table(['A'], [['x\ny']]), 'A\nx\\u000ay');
  });

  it('A-02: is, as JSON, harmless and still the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
        const all = { value, text, hostile: HOSTILE };
        const printed = plainJson(all);
        assert.deepEqual(JSON.parse(printed), JSON.parse(JSON.stringify(all)));
        assert.doesNotMatch(printed, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  it('aligns columns and shows what is not there', () => {
    assert.equal(
      table(
        ['NAME', 'GROUPS', 'SINCE'],
        [
          ['alice', ['a', 'b'], 'now'],
          ['bo', [], undefined],
        ],
      ),
      'NAME   GROUPS  SINCE\nalice  a, b    now\nbo     -       -',
    );
  });
});
