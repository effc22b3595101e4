import assert from 'node:assert/strict';
import fc from 'fast-check';
import { matchesPattern, parsePattern } from '../../src/oci/index.ts';
import { cpuMsOf } from '../support/cpu-time.ts';

/** Pattern, then names it covers, then names it does not. */
const PAIRS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  [
    'team/app',
    ['team/app'],
    ['team/app2', 'team/ap', 'team', 'app', 'team/app/x', 'x/team/app', 'evilteam/app'],
  ],
  [
    'team/*',
    ['team/app', 'team/a', 'team/app.v2'],
    ['team', 'team/app/x', 'team-evil/x', 'evilteam/x', 'x/team/y'],
  ],
  [
    'team/**',
    ['team/app', 'team/app/x', 'team/a/b/c/d'],
    ['team', 'evilteam/x', 'team-evil/x', 'x/team/y', 'teams/x'],
  ],
  ['team*', ['team', 'teams', 'team-evil'], ['evilteam', 'team/x', 'evilteam/x', 'team-evil/x', 'tea']],
  ['**', ['a', 'team/app', 'a/b/c/d/e'], []],
  ['*', ['a', 'team'], ['a/b', 'team/app']],
  ['*/*', ['a/b', 'team/app'], ['a', 'a/b/c']],
  ['**/app', ['app', 'team/app', 'a/b/app'], ['app/x', 'team/app2', 'team/myapp', 'ap']],
  [
    'team/**/app',
    ['team/app', 'team/x/app', 'team/x/y/app'],
    ['team', 'app', 'team/x/app/y', 'teamx/app', 'team/xapp'],
  ],
  ['team/app-*', ['team/app-1', 'team/app-1-2', 'team/app-'], ['team/app', 'team/app-1/x', 'team/xapp-1']],
  ['team/*-app', ['team/x-app', 'team/x-y-app'], ['team/app', 'team/x/y-app', 'team/x-apps']],
  [
    'team/a*b*c',
    ['team/abc', 'team/axxbyyc', 'team/abbcc'],
    ['team/ab', 'team/acb', 'team/abcx', 'team/ab/c'],
  ],
  ['*/app', ['x/app', 'team/app'], ['app', 'a/b/app', 'x/apps']],
  ['**/lab/**', ['lab/x', 'a/lab/x', 'a/b/lab/x/y'], ['lab', 'a/lab', 'label/x', 'a/xlab/x']],
  ['**,!lab/**', ['a', 'team/app', 'lab', 'labs/x'], ['lab/x', 'lab/x/y']],
  ['**,!lab,!lab/**', ['a', 'team/app'], ['lab', 'lab/x']],
  ['!lab/**,**', ['team/app'], ['lab/x']],
  ['team/**,ops/*', ['team/a/b', 'ops/x'], ['ops/x/y', 'dev/x', 'ops']],
  ['team/**,!team/secret,!team/*-old', ['team/app', 'team/secret/x'], ['team/secret', 'team/app-old']],
  ['team/**, !team/secret', ['team/app'], ['team/secret']],
  ['a.b/c_d', ['a.b/c_d'], ['axb/c_d', 'a.b/cxd']],
  ['a-*.x', ['a-1.x'], ['a-1x', 'a-1.xx']],
];

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['', /empty/],
  [',', /empty/],
  ['team/**,', /empty/],
  ['!', /empty/],
  ['/team/', /begin or end with a slash/],
  ['team/', /begin or end with a slash/],
  ['/team', /begin or end with a slash/],
  ['a//b', /two slashes/],
  ['team**', /stand alone/],
  ['***', /stand alone/],
  ['**/**', /write it once/],
  ['!lab/**', /only excludes/],
  ['Team/*', /character/],
  ['team/.+', /character/],
  ['^team/', /begin or end|character/],
  ['^team', /character/],
  ['team/(a|b)', /character/],
  ['a|b/*', /character/],
  ['team/?', /character/],
  ['team/[ab]', /character/],
  ['team/{a,b}', /character/],
  ['team/\\*', /character/],
  ['x/../y', /no part of a repository/],
  ['./x', /no part of a repository/],
  ['team app', /character/],
  ['!!team', /character/],
  ['tëam', /character/],
  ['team/%2a', /character/],
  ['a/'.repeat(600), /longer than/],
  ['team\u0000', /character/],
];

function matches(text: string, name: string): boolean {
  const result = parsePattern(text);
  assert.ok(result.ok, `${text} can be parsed`);
  return matchesPattern(result.pattern, name);
}

const segment = fc.stringMatching(/^[a-z0-9]{1,6}$/);
const name = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));

describe('a repository pattern', () => {
  for (const [text, covered, uncovered] of PAIRS) {
    it(`T-20 "${text}" covers exactly what it shows`, () => {
      for (const one of covered) assert.equal(matches(text, one), true, `${text} covers ${one}`);
      for (const one of uncovered) assert.equal(matches(text, one), false, `${text} does not cover ${one}`);
    });
  }

  it('T-20 is checked on at least 80 pairs', () => {
    assert.ok(PAIRS.flatMap(([, covered, uncovered]) => [...covered, ...uncovered]).length >= 80);
  });

  for (const [text, problem] of REFUSED) {
    it(`T-20 is refused with a reason when it is ${JSON.stringify(text.slice(0, 20))}`, () => {
      const result = parsePattern(text);
      assert.ok(!result.ok);
      assert.match(result.problem, problem);
      assert.match(result.problem, /^[\x20-\x7e]+$/);
    });
  }

  it('covers its own text when it holds no wildcard', () => {
    fc.assert(fc.property(name, (one) => matches(one, one)));
  });

  it('covers no other name when it holds no wildcard', () => {
    fc.assert(fc.property(name, name, (one, other) => matches(one, other) === (one === other)));
  });

  it('never covers what it excludes', () => {
    fc.assert(fc.property(name, (one) => !matches(`**,!${one}`, one)));
  });

  it('agrees with an anchored regular expression made from it', () => {
    const glob = fc
      .array(fc.constantFrom('a', 'b', '*', 'a*', '*b', 'a*b', '**'), { minLength: 1, maxLength: 5 })
      .filter((parts) => parts.every((part, index) => part !== '**' || parts[index + 1] !== '**'));
    const short = fc
      .array(fc.stringMatching(/^[ab]{1,3}$/), { minLength: 1, maxLength: 6 })
      .map((parts) => parts.join('/'));
    fc.assert(
      fc.property(glob, short, (parts, one) => {
        const text = parts.join('/');
        assert.equal(matches(text, one), referenceRegExp(parts).test(one), `${text} on ${one}`);
      }),
      { numRuns: 2000 },
    );
  });

  it('T-20 takes no more than a moment for a hostile pattern', async () => {
    const spentMs = await cpuMsOf(() => {
      assert.equal(matches(`${'a*'.repeat(120)}b`, 'a'.repeat(255)), false);
      assert.equal(matches(`${'**/a/'.repeat(60)}b`, `${'a/'.repeat(127)}c`), false);
    });
    assert.ok(spentMs < 2000, `${spentMs} ms`);
  });

  it('covers no name with an empty segment', () => {
    for (const one of ['', '/', 'a//b', '/a', 'a/']) assert.equal(matches('**', one), false);
  });
});

/** The same meaning, said another way: `**` before a slash may be nothing, at the end it is something. */
function referenceRegExp(parts: readonly string[]): RegExp {
  const body = parts.map((part, index) => {
    const isLast = index === parts.length - 1;
    if (part === '**') return isLast ? '[^/]+(?:/[^/]+)*' : '(?:[^/]+/)*';
    return part.replaceAll('*', '[^/]*') + (isLast ? '' : '/');
  });
  return new RegExp(`^${body.join('')}$`);
}
