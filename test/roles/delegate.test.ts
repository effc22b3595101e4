import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  type Action,
  authorize,
  BUILT_IN_ROLES,
  delegate,
  type Grant,
  managesGrants,
  type Principal,
  REPOSITORY_ACTIONS,
  SYSTEM_ACTIONS,
} from '../../src/roles/index.ts';
import { arbitraryGrants, grant, repository } from './fixtures.ts';

const NOW_MS = 1_000_000;
const bob: Principal = { kind: 'user', id: 'u2', name: 'bob' };

/** `-` before the role denies; `@` and a number: until so much after now, `+`: from so much after now. */
function grants(text: string): readonly Grant[] {
  return text
    .split(';')
    .filter((one) => one !== '')
    .map((one) => {
      const [role = '', pattern = '', time = ''] = one.trim().split(' ');
      const offset = Number(time.slice(1));
      const actions = ROLES[role.replace('-', '')];
      return grant({
        role: role.replace('-', ''),
        ...(actions ? { actions } : {}),
        pattern,
        effect: role.startsWith('-') ? 'deny' : 'allow',
        ...(time.startsWith('@') ? { untilMs: NOW_MS + offset } : {}),
        ...(time.startsWith('+') ? { fromMs: NOW_MS + offset } : {}),
      });
    });
}

const ROLES: Readonly<Record<string, readonly Action[]>> = {
  keeper: ['roles.manage'],
  quarantine: ['quarantine.read'],
  nothing: [],
  pusher: ['push'],
};

/** What the giver holds, what it gives, `yes` or what the refusal says. */
const ROWS: readonly (readonly [held: string, given: string, expected: string])[] = [
  ['maintainer team/**', 'reader team/app', 'yes'],
  ['maintainer team/**', 'developer team/*', 'yes'],
  ['maintainer team/**', 'maintainer team/**', 'yes'],
  ['maintainer team/**', 'maintainer team/**,!team/x', 'yes'],
  ['maintainer team/**', 'nothing team/app', 'yes'],
  ['maintainer team/**', 'reader team', 'roles.manage on team '],
  ['maintainer team/**', 'reader **', 'roles.manage on x '],
  ['maintainer team/**', 'reader team*/x', 'roles.manage on teamy/x'],
  ['maintainer team/**', 'reader team/a,other/b', 'roles.manage on other/b'],
  ['maintainer team/*', 'reader team/**', 'roles.manage on team/x/x'],
  ['maintainer team/**', 'nothing other/app', 'roles.manage on other/app'],
  ['maintainer team/**', 'quarantine team/app', 'quarantine.read on team/app'],
  ['maintainer team/**;quarantine team/app', 'quarantine team/app', 'yes'],
  ['maintainer team/**', 'auditor team/app', 'only who holds users.manage gives or takes audit.read'],
  ['admin **', 'admin team/app', 'only who holds users.manage'],
  ['admin **', 'admin **', 'only who holds users.manage'],
  ['developer team/**', 'reader team/app', 'roles.manage on team/app'],
  ['keeper team/**;reader team/**', 'reader team/app', 'yes'],
  ['keeper team/**;reader team/**', 'developer team/app', 'push on team/app'],
  ['keeper team/**;reader team/a', 'reader team/b', 'pull on team/b'],
  ['keeper team/**;reader team/a;reader team/b', 'reader team/a,team/b', 'yes'],
  ['', 'reader team/app', 'roles.manage on team/app'],
  // Deny grants: held ones count, none is given.
  ['maintainer team/**;-reader team/secret', 'reader team/**', 'pull on team/secret'],
  ['maintainer team/**;-reader team/secret', 'reader team/**,!team/secret', 'yes'],
  ['maintainer team/**;-reader team/secret', 'pusher team/secret', 'yes'],
  ['maintainer team/**;-keeper team/x', 'pusher team/x', 'roles.manage on team/x'],
  ['maintainer team/**;-reader team/x +5', 'reader team/x', 'pull on team/x'],
  ['maintainer team/**;-reader team/x @0', 'reader team/x', 'yes'],
  ['maintainer team/**;-reader (broken', 'reader team/x', 'pull on team/x'],
  ['maintainer team/**', '-reader team/app', 'only who holds users.manage adds or removes grants that deny'],
  ['maintainer (broken', 'reader team/x', 'roles.manage on team/x'],
  // Time: no longer than the giver's own, and only what it holds now.
  ['maintainer team/** @60', 'reader team/app @60', 'yes'],
  ['maintainer team/** @60', 'reader team/app @59', 'yes'],
  ['maintainer team/** @60', 'reader team/app @61', 'roles.manage on team/app until'],
  ['maintainer team/** @60', 'reader team/app', 'roles.manage on team/app without an end'],
  ['maintainer team/** @0', 'reader team/app @0', 'roles.manage on team/app'],
  ['maintainer team/** +1', 'reader team/app', 'roles.manage on team/app'],
  ['keeper team/**;reader team/** @60', 'reader team/app', 'pull on team/app without an end'],
  ['maintainer team/**', 'reader team/app +5', 'yes'],
  ['maintainer team/**', 'reader Team', 'in pattern'],
];

describe('who manages the grants of its pattern', () => {
  for (const [held, given, expected] of ROWS) {
    it(`holding [${held}] ${expected === 'yes' ? 'gives' : 'cannot give'} [${given}]`, () => {
      const [wanted] = grants(given);
      assert.ok(wanted);
      for (const order of [grants(held), grants(held).toReversed()]) {
        const answer = delegate({ held: order, grant: wanted, nowMs: NOW_MS });
        if (expected === 'yes') assert.deepEqual(answer, { isAllowed: true });
        else assert.ok(!answer.isAllowed && answer.lacks.includes(expected), JSON.stringify(answer));
      }
    });
  }

  it('is whoever holds roles.manage now', () => {
    assert.equal(managesGrants(grants('reader **;keeper team/a'), NOW_MS), true);
    assert.equal(managesGrants(grants('developer **'), NOW_MS), false);
    assert.equal(managesGrants(grants('-keeper **'), NOW_MS), false);
    assert.equal(managesGrants(grants('keeper ** @0;keeper ** +1'), NOW_MS), false);
  });
});

describe('delegation', () => {
  const wanted = fc.record({
    actions: fc.uniqueArray(fc.constantFrom(...REPOSITORY_ACTIONS, ...SYSTEM_ACTIONS), { maxLength: 3 }),
    pattern: fc.constantFrom('a', 'a/*', 'a/b', 'a/**', 'b', 'lab/x', '**', 'a*', '**,!lab/**'),
    effect: fc.constantFrom('allow' as const, 'deny' as const),
    untilMs: fc.constantFrom(undefined, NOW_MS, NOW_MS + 1, NOW_MS + 2),
  });
  const names = ['a', 'a/b', 'a/b/c', 'lab/x', 'b', 'ax'];

  it('never gives what the giver may not do itself, now or at any time before the end', () => {
    const powers = fc
      .tuple(arbitraryGrants, fc.array(fc.constantFrom('a/**', '**', 'a', '**,!lab/**'), { maxLength: 2 }))
      .map(([some, on]) => [
        ...some,
        ...on.map((pattern, at) => grant({ id: `m${at}`, role: 'maintainer', pattern })),
      ]);
    fc.assert(
      fc.property(powers, wanted, (held, { untilMs, ...rest }) => {
        const given = { ...rest, ...(untilMs === undefined ? {} : { untilMs }) };
        if (!delegate({ held, grant: given, nowMs: NOW_MS }).isAllowed) return;
        const received = [grant({ role: 'custom', ...given })];
        for (const nowMs of [NOW_MS, NOW_MS + 1, NOW_MS + 2]) {
          for (const action of [...REPOSITORY_ACTIONS, ...SYSTEM_ACTIONS]) {
            for (const name of names) {
              const ask = { scopes: undefined, action, repository: repository(name), nowMs };
              const may = authorize({ ...ask, principal: bob, grants: received }).isAllowed;
              if (!may) continue;
              assert.ok(
                authorize({ ...ask, principal: bob, grants: held }).isAllowed,
                `${action} on ${name}`,
              );
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('never becomes possible by one more deny or one grant less', () => {
    fc.assert(
      fc.property(
        arbitraryGrants,
        arbitraryGrants,
        wanted,
        fc.nat(),
        (held, more, { untilMs, ...rest }, at) => {
          const given = { ...rest, ...(untilMs === undefined ? {} : { untilMs }) };
          const is = (some: readonly Grant[]) =>
            delegate({ held: some, grant: given, nowMs: NOW_MS }).isAllowed;
          const denies = more.map((one) => ({ ...one, effect: 'deny' as const }));
          const gone = held.filter((one) => one.effect === 'allow')[at % Math.max(1, held.length)];
          assert.ok(is(held) || !is([...held, ...denies]));
          assert.ok(is(held) || !is(held.filter((one) => one !== gone)));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('knows the built-in roles: a maintainer gives all but what belongs to the whole installation', () => {
    const held = [grant({ role: 'maintainer', pattern: 'team/**' })];
    const may = BUILT_IN_ROLES.filter(
      (role) =>
        delegate({
          held,
          grant: { actions: role.actions, pattern: 'team/a', effect: 'allow' },
          nowMs: NOW_MS,
        }).isAllowed,
    );
    assert.deepEqual(
      may.map(({ name }) => name),
      ['reader', 'developer', 'maintainer'],
    );
  });
});
