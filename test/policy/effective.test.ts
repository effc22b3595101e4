import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonicalText, type Feeds, type Policy } from '../../src/policy/index.ts';
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

  it('have another text when a feed that a rule asks for says something else, and only then', () => {
    const asking = [policyOf({ vulnerabilities: { exploited: true, fixableOnly: false } })];
    const textOf = (policies: readonly Policy[], feeds: Feeds) =>
      canonicalText(effectiveOf(policies, [], repositoryOf('a'), feeds));
    const kev = { revision: 'a', asOfMs: 1 };
    const texts = [{}, { kev }, { kev: { ...kev, revision: 'b' } }, { kev: { ...kev, asOfMs: 2 } }].map(
      (feeds) => textOf(asking, feeds),
    );
    assert.equal(new Set(texts).size, 4);
    assert.equal(textOf(asking, { kev, epss: kev }), texts[1]);
    assert.equal(textOf([policyOf(AGE)], { kev }), textOf([policyOf(AGE)], {}));
  });

  it('have the same text whoever granted a waiver and why', () => {
    const text = canonicalText(effectiveOf([policyOf(AGE)], [waiverOf()]));
    const other = waiverOf({ author: 'bob', reason: 'accepted' });
    assert.equal(canonicalText(effectiveOf([policyOf(AGE)], [other])), text);
  });
});
