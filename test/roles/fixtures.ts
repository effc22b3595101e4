import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseRepository, type Repository } from '../../src/oci/index.ts';
import {
  BUILT_IN_ROLES,
  type Grant,
  REPOSITORY_ACTIONS,
  type Scope,
  SYSTEM_ACTIONS,
} from '../../src/roles/index.ts';

let grantCount = 0;

/** A grant of a built-in role, on everything and for ever unless said otherwise. */
export function grant(given: Partial<Grant> & Pick<Grant, 'role'>): Grant {
  const role = BUILT_IN_ROLES.find((one) => one.name === given.role);
  grantCount += 1;
  return {
    id: `g${grantCount}`,
    actions: role?.actions ?? [],
    pattern: '**',
    subject: { kind: 'user', id: 'u1', name: 'ann' },
    effect: 'allow',
    ...given,
  };
}

export function repository(name: string): Repository {
  const parsed = parseRepository(name);
  assert.ok(parsed, `${name} is a repository`);
  return parsed;
}

const arbitraryGrant: fc.Arbitrary<Grant> = fc
  .record({
    actions: fc.uniqueArray(fc.constantFrom(...REPOSITORY_ACTIONS, ...SYSTEM_ACTIONS), { maxLength: 6 }),
    pattern: fc.constantFrom('**', '*', 'a', 'a/*', 'a/**', '**/b', '**,!lab/**', 'lab/**', 'a*'),
    effect: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
    fromMs: fc.option(fc.constantFrom(999_999, 1_000_000, 1_000_001), { nil: undefined }),
    untilMs: fc.option(fc.constantFrom(1_000_000, 1_000_001), { nil: undefined }),
    number: fc.nat({ max: 1_000_000 }),
  })
  .map(({ actions, pattern, effect, fromMs, untilMs, number }) => ({
    ...grant({ role: 'custom', id: `r${number}`, actions, pattern, effect }),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
  }));

export const arbitraryGrants: fc.Arbitrary<readonly Grant[]> = fc.uniqueArray(arbitraryGrant, {
  maxLength: 6,
  selector: (one) => one.id,
});

export const arbitraryScopes: fc.Arbitrary<readonly Scope[]> = fc.array(
  fc.record({
    type: fc.constantFrom('repository', 'registry', 'Repository'),
    name: fc.constantFrom('a', 'a/b', 'a/b/c', 'lab/x', 'b', '*', 'catalog'),
    actions: fc.uniqueArray(fc.constantFrom('pull', 'push', 'delete', '*', 'other'), { minLength: 1 }),
  }),
  { maxLength: 5 },
);
