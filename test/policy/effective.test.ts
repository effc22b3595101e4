import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonicalText } from '../../src/policy/index.ts';
import {
  arbitraryPolicy,
  arbitraryWaiver,
  effectiveOf,
  policyOf,
  repositoryOf,
  waiverOf,
} from './fixtures.ts';

const AGE = { age: { maxMs: 1 } };

describe('the effective policies of a repository', () => {
  it('are those that match it, exclusions respected', () => {
    const policies = [
      policyOf(AGE, { name: 'c', match: ['**', '!team/**'] }),
      policyOf(AGE, { name: 'b', match: ['team/**'] }),
      policyOf(AGE, { name: 'a', match: ['lab/*', 'team/app'] }),
    ];
    const names = (repository: string) =>
      effectiveOf(policies, [], repositoryOf(repository)).policies.map((policy) => policy.name);
    assert.deepEqual(names('team/app'), ['a', 'b']);
    assert.deepEqual(names('other'), ['c']);
  });

  it('have a text that does not depend on the order in which they were read', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(arbitraryPolicy, { selector: (policy) => policy.name, maxLength: 4 }),
        fc.uniqueArray(arbitraryWaiver, { selector: (waiver) => waiver.id, maxLength: 4 }),
        (policies, waivers) => {
          const text = canonicalText(effectiveOf(policies, waivers));
          assert.equal(canonicalText(effectiveOf(policies.toReversed(), waivers.toReversed())), text);
        },
      ),
    );
  });

  it('have another text when anything that decides is another', () => {
    const text = canonicalText(effectiveOf([policyOf(AGE)], [waiverOf()]));
    for (const [policies, waivers] of [
      [[], []],
      [[policyOf(AGE)], []],
      [[policyOf({ age: { maxMs: 2 } })], [waiverOf()]],
      [[policyOf(AGE, { mode: 'warn' })], [waiverOf()]],
      [[policyOf(AGE)], [waiverOf({ endsAtMs: 1 })]],
      [[policyOf(AGE)], [waiverOf({ finding: 'x' })]],
    ] as const) {
      assert.notEqual(canonicalText(effectiveOf(policies, waivers)), text);
    }
  });

  it('have the same text whoever granted a waiver and why', () => {
    const text = canonicalText(effectiveOf([policyOf(AGE)], [waiverOf()]));
    const other = waiverOf({ author: 'bob', reason: 'accepted' });
    assert.equal(canonicalText(effectiveOf([policyOf(AGE)], [other])), text);
  });
});
