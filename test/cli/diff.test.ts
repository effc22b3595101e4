import assert from 'node:assert/strict';
import fc from 'fast-check';
import { diffLines } from '../../src/cli/diff.ts';

const lines = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 8 });

describe('two texts beside each other', () => {
  it('differ in what was removed and what was added', () => {
    assert.deepEqual(diffLines(['a', 'b', 'c'], ['a', 'x', 'c', 'd']), [' a', '-b', '+x', ' c', '+d']);
  });

  it('differ in nothing when they are equal', () => {
    assert.deepEqual(diffLines(['a', 'b'], ['a', 'b']), []);
    assert.deepEqual(diffLines([], []), []);
  });

  it('can both be read out of the difference', () => {
    fc.assert(
      fc.property(lines, lines, (older, newer) => {
        fc.pre(older.join() !== newer.join());
        const diff = diffLines(older, newer);
        const without = (sign: string) =>
          diff.filter((line) => line[0] !== sign).map((line) => line.slice(1));
        assert.deepEqual(without('+'), older);
        assert.deepEqual(without('-'), newer);
      }),
    );
  });
});
