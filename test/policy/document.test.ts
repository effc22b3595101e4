import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DAY_MS } from '../../src/base/index.ts';
import { parsePolicyDocument, printPolicyDocument, SHIPPED_POLICIES } from '../../src/policy/index.ts';
import { arbitraryPolicy } from './fixtures.ts';

const POLICY = {
  name: 'baseline',
  match: ['**', '!lab/**'],
  mode: 'enforce',
  hold: '20s',
  rules: {
    scanned: { by: ['inspector'], within: '7d' },
    age: { max: '180d' },
    vulnerabilities: { block: 'high', fixableOnly: false },
    secrets: 'block',
    malware: 'block',
    misconfiguration: { block: 'high' },
  },
  contact: 'security@corp.example',
};

function problemsOf(value: unknown): readonly string[] {
  const result = parsePolicyDocument(value);
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
}

function withRules(rules: unknown): unknown {
  return { policies: [{ ...POLICY, rules }] };
}

describe('a policy document', () => {
  it('is read as the design writes it', () => {
    assert.deepEqual(parsePolicyDocument({ policies: [POLICY] }), {
      ok: true,
      policies: [
        {
          name: 'baseline',
          match: ['**', '!lab/**'],
          mode: 'enforce',
          holdMs: 20_000,
          rules: {
            scanned: { by: ['inspector'], withinMs: 7 * DAY_MS },
            age: { maxMs: 180 * DAY_MS },
            vulnerabilities: { block: 'high', fixableOnly: false },
            secrets: 'block',
            malware: 'block',
            misconfiguration: { block: 'high' },
          },
          contact: 'security@corp.example',
        },
      ],
    });
  });

  it('enforces and holds 20 seconds unless it says otherwise', () => {
    const result = parsePolicyDocument({
      policies: [{ name: 'a', match: ['**'], rules: { vulnerabilities: { block: 'low' } } }],
    });
    assert.ok(result.ok);
    assert.equal(result.policies[0]?.mode, 'enforce');
    assert.equal(result.policies[0]?.holdMs, 20_000);
    assert.equal(result.policies[0]?.rules.vulnerabilities?.fixableOnly, false);
  });

  it('is printed as it can be read again', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(arbitraryPolicy, { selector: (policy) => policy.name, maxLength: 4 }),
        (policies) => {
          const some = policies.filter((policy) => Object.keys(policy.rules).length > 0);
          const printed = JSON.parse(JSON.stringify(printPolicyDocument(some)));
          assert.deepEqual(parsePolicyDocument(printed), { ok: true, policies: some });
        },
      ),
    );
    assert.deepEqual(parsePolicyDocument(printPolicyDocument(SHIPPED_POLICIES)), {
      ok: true,
      policies: SHIPPED_POLICIES,
    });
  });

  const cases: readonly (readonly [title: string, value: unknown, problem: RegExp])[] = [
    ['that is no object', 'policies', /^: must be a section with the keys policies$/],
    ['without policies', {}, /^policies: /],
    [
      'with an unknown key at the top',
      { policies: [], police: [] },
      /^: unknown key "police"; allowed: policies$/,
    ],
    [
      'with an unknown key in a policy',
      { policies: [{ ...POLICY, matches: [] }] },
      /^policies\[0\]: unknown key "matches"; allowed: name, match, mode, hold, rules, push, waivers, contact$/,
    ],
    [
      'with an unknown rule',
      withRules({ secret: 'block' }),
      /^policies\[0\]\.rules: unknown key "secret"; allowed: scanned, age, /,
    ],
    [
      'with an unknown key in a rule',
      withRules({ age: { max: '1d', min: '1h' } }),
      /^policies\[0\]\.rules\.age: unknown key "min"; allowed: max$/,
    ],
    ['with a number for a duration', withRules({ age: { max: 180 } }), /rules\.age\.max: must be a duration/],
    [
      'with a broken duration',
      withRules({ age: { max: '180 days' } }),
      /rules\.age\.max: must be a duration/,
    ],
    [
      'with a duration out of range',
      { policies: [{ ...POLICY, hold: '1h' }] },
      /hold: must be a duration.*2m/,
    ],
    [
      'with a mode there is not',
      { policies: [{ ...POLICY, mode: 'monitor' }] },
      /mode: .*enforce.*warn.*off/,
    ],
    [
      'with a severity there is not',
      withRules({ vulnerabilities: { block: 'severe' } }),
      /vulnerabilities\.block: .*critical/,
    ],
    ['with secrets: allow', withRules({ secrets: 'allow' }), /rules\.secrets: must be block/],
    ['without any rule', withRules({}), /rules: needs at least one rule/],
    ['with an empty misconfiguration rule', withRules({ misconfiguration: {} }), /needs block .* or checks/],
    [
      'with a broken pattern',
      { policies: [{ ...POLICY, match: ['Team/**'] }] },
      /^policies\[0\]\.match: in pattern/,
    ],
    ['that only excludes', { policies: [{ ...POLICY, match: ['!lab/**'] }] }, /only excludes/],
    ['that matches nothing', { policies: [{ ...POLICY, match: [] }] }, /^policies\[0\]\.match: /],
    [
      'with a broken name',
      { policies: [{ ...POLICY, name: 'Base line' }] },
      /^policies\[0\]\.name: must be a-z/,
    ],
    [
      'with the same name twice',
      { policies: [POLICY, POLICY] },
      /^policies\[1\]\.name: there are two policies/,
    ],
    [
      'with a contact that breaks lines',
      { policies: [{ ...POLICY, contact: 'a\nb' }] },
      /contact: must be 1 to/,
    ],
  ];
  for (const [title, value, problem] of cases) {
    it(`${title} is refused with its place and what is allowed`, () => {
      const problems = problemsOf(value);
      assert.ok(
        problems.some((text) => problem.test(text)),
        JSON.stringify(problems),
      );
    });
  }

  it('has all its problems told at once', () => {
    const problems = problemsOf({ policies: [{ ...POLICY, mode: 'x', hold: 'y' }] });
    assert.equal(problems.length, 2);
  });
});
