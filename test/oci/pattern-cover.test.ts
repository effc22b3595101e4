import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  type CoverResult,
  findUncovered,
  matchesPattern,
  type Pattern,
  parsePattern,
} from '../../src/oci/index.ts';

function pattern(text: string): Pattern {
  const result = parsePattern(text);
  assert.ok(result.ok, text);
  return result.pattern;
}

function compare(wanted: string, allow: readonly string[], deny: readonly string[] = []): CoverResult {
  return findUncovered(pattern(wanted), { allow: allow.map(pattern), deny: deny.map(pattern) });
}

/** What is wanted, what is held (`;` between patterns, `-` before what is denied), whether it lies in it. */
const ROWS: readonly (readonly [wanted: string, held: string, isCovered: boolean])[] = [
  ['team/app', 'team/app', true],
  ['team/app', 'team/*', true],
  ['team/app', 'team/**', true],
  ['team/app', '**', true],
  ['team/app', '*/app', true],
  ['team/app', '**/app', true],
  ['team/*', 'team/**', true],
  ['team/a*', 'team/*', true],
  ['team/a*b', 'team/a*', true],
  ['team/a*b*c', 'team/a*c', true],
  ['team/**/x', 'team/**', true],
  ['team/**', '**', true],
  ['**', '**', true],
  ['**,!lab/**', '**', true],
  ['team/**,!team/x', 'team/**', true],
  ['team/**', '*/**', true],
  ['*/**', '**/*', true],
  ['**/*', '**', true],
  ['*,*/**', '**', true],
  ['**', '*;*/**', true],
  ['**', '*;*/*;*/*/**', true],
  ['team/app', 'team/a;team/app', true],
  ['team/a,team/b', 'team/a;team/b', true],
  ['team/**', 'team/*;team/*/**', true],
  ['team/**,!team/secret', 'team/**,!team/secret', true],
  ['team/**,!team/secret', 'team/**;-team/secret', true],
  ['team/**,!team/secret/**', 'team/**;-team/secret/x', true],
  ['team/x', 'team/**;-team/secret/**', true],
  ['team/app', 'team/**,!team/a;team/a*', true],
  // What only looks contained.
  ['team/**', 'team/*', false],
  ['team/*', 'team/a*', false],
  ['team*', 'team/**', false],
  ['team', 'team/**', false],
  ['team/**', 'team', false],
  ['teams/x', 'team/**', false],
  ['team*/x', 'team/**', false],
  ['*/app', 'team/*', false],
  ['**/app', 'team/**', false],
  ['team/**/x', 'team/*/x', false],
  ['**', 'team/**', false],
  ['**', '*/**', false],
  ['**', '*', false],
  ['*', '*/*', false],
  ['team/**', 'team/**,!team/secret', false],
  ['team/**', 'team/**;-team/secret', false],
  ['team/secret', 'team/**;-team/s*', false],
  ['team/secret', 'team/**;-**', false],
  ['team/**,!team/a', 'team/**,!team/b', false],
  ['**,!lab/**', '**,!lab/x/**', true],
  ['**,!lab/x/**', '**,!lab/**', false],
  ['team/a,other/b', 'team/**', false],
  ['team/a*', 'team/aa*;team/ab*', false],
  ['team/**', 'team/a;team/b', false],
  ['team/a*c', 'team/a*b*c', false],
  ['a*a', 'aa*', false],
  ['team/x', '', false],
];

describe('a pattern', () => {
  for (const [wanted, held, isCovered] of ROWS) {
    it(`T-20: "${wanted}" is ${isCovered ? '' : 'not '}covered by [${held}]`, () => {
      const texts = held.split(';').filter((text) => text !== '');
      const allow = texts.filter((text) => !text.startsWith('-'));
      const deny = texts.filter((text) => text.startsWith('-')).map((text) => text.slice(1));
      const result = compare(wanted, allow, deny);
      assert.equal(result.isCovered, isCovered);
      if (!result.isCovered) assert.ok(result.witness !== undefined);
    });
  }

  it('tells a name that is not covered', () => {
    assert.deepEqual(compare('team/**', ['team/*']), { isCovered: false, witness: 'team/x/x' });
    assert.deepEqual(compare('team/a,team/b', ['team/a']), { isCovered: false, witness: 'team/b' });
  });

  it('counts as not covered, soon, when it is too tangled to compare', () => {
    const tangled = `${'*a'.repeat(24)}*`;
    const others = Array.from({ length: 12 }, (_, at) => `${'*b'.repeat(at + 1)}${'*a'.repeat(20)}*`);
    assert.equal(compare(tangled, others).isCovered, false);
    assert.deepEqual(compare(`${'*ab'.repeat(80)}*`, [`${'*ba'.repeat(79)}*`, `${'*aab'.repeat(60)}*`]), {
      isCovered: false,
    });
  });
});

const glob = fc
  .array(fc.constantFrom('a', 'b', '*', 'a*', '*b', 'a*b', '**', 'ab'), { minLength: 1, maxLength: 3 })
  .map((segments) => segments.filter((one, at) => one !== '**' || segments[at - 1] !== '**').join('/'));
const anyPattern = fc
  .tuple(fc.array(glob, { minLength: 1, maxLength: 2 }), fc.array(glob, { maxLength: 2 }))
  .map(([includes, excludes]) => [...includes, ...excludes.map((one) => `!${one}`)].join(','));

/** Every name of up to four segments of these. */
const SEGMENTS = ['a', 'b', 'ab', 'aab', 'ba', 'c', 'acb'];
const NAMES = [1, 2, 3, 4].flatMap((count) =>
  Array.from({ length: count }).reduce<string[]>(
    (names) => names.flatMap((name) => SEGMENTS.map((one) => (name === '' ? one : `${name}/${one}`))),
    [''],
  ),
);

describe('whether a pattern is covered', () => {
  const question = fc.record({
    wanted: anyPattern,
    allow: fc.array(anyPattern, { maxLength: 3 }),
    deny: fc.array(anyPattern, { maxLength: 2 }),
  });

  it('agrees with the names themselves, and every witness is one', () => {
    fc.assert(
      fc.property(question, ({ wanted, allow, deny }) => {
        const result = compare(wanted, allow, deny);
        const isGiven = (name: string) =>
          allow.some((one) => matchesPattern(pattern(one), name)) &&
          !deny.some((one) => matchesPattern(pattern(one), name));
        if (result.isCovered) {
          const escaped = NAMES.find((name) => matchesPattern(pattern(wanted), name) && !isGiven(name));
          assert.equal(escaped, undefined);
        } else if (result.witness !== undefined) {
          assert.ok(matchesPattern(pattern(wanted), result.witness), result.witness);
          assert.ok(!isGiven(result.witness), result.witness);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('is so of itself, of what holds it and more, and never becomes so by one more deny', () => {
    fc.assert(
      fc.property(question, anyPattern, ({ wanted, allow, deny }, more) => {
        assert.ok(compare(wanted, [wanted]).isCovered);
        assert.ok(compare(wanted, [more, wanted]).isCovered);
        if (compare(wanted, allow, [...deny, more]).isCovered) {
          assert.ok(compare(wanted, allow, deny).isCovered);
        }
      }),
      { numRuns: 150 },
    );
  });
});
