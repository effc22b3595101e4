import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DAY_MS } from '../../src/base/index.ts';
import {
  blockWithoutScanner,
  type Facts,
  judge,
  judgeIndex,
  missingScanners,
  type Policy,
  type Rules,
  SHIPPED_POLICIES,
  type Verdict,
  type Waiver,
} from '../../src/policy/index.ts';
import {
  APP,
  arbitraryFacts,
  arbitraryFinding,
  arbitraryPolicy,
  arbitraryWaiver,
  digestOf,
  effectiveOf,
  factsOf,
  findingOf,
  IMAGE,
  NOW_MS,
  policyOf,
  scanOf,
  waiverOf,
} from './fixtures.ts';

function verdictOf(
  facts: Facts | undefined,
  policies: readonly Policy[],
  waivers: readonly Waiver[] = [],
  nowMs = NOW_MS,
): Verdict {
  return judge(facts, IMAGE, effectiveOf(policies, waivers, APP), nowMs);
}

const SCANNED: Rules = { scanned: { by: ['inspector'], withinMs: 7 * DAY_MS } };
const ENFORCED = effectiveOf([policyOf(SCANNED)]);
const WARNING = policyOf(SCANNED, { name: 'advice', mode: 'warn' });
const HIGH: Rules = { vulnerabilities: { block: 'high', fixableOnly: false } };

describe('a verdict', () => {
  it('admits what was scanned in time and has nothing against it', () => {
    const verdict = verdictOf(factsOf(), [policyOf({ ...SCANNED, secrets: 'block' })]);
    assert.equal(verdict.outcome, 'allow');
    assert.deepEqual(verdict.reasons, []);
    assert.equal(verdict.validUntilMs, NOW_MS + 6 * DAY_MS);
    assert.equal(verdict.holdMs, 20_000);
  });

  it('refuses a repository that no policy covers, V-38: deleting the last policy admits nothing', () => {
    for (const policies of [[], [policyOf(SCANNED, { match: ['lab/**'] })]]) {
      const verdict = verdictOf(factsOf(), policies);
      assert.equal(verdict.outcome, 'block');
      assert.equal(verdict.reasons[0]?.rule, 'unmatched');
    }
  });

  it('counts a policy in mode off as absent', () => {
    assert.equal(verdictOf(factsOf(), [policyOf(SCANNED, { mode: 'off' })]).outcome, 'block');
    const policies = [policyOf(SCANNED, { mode: 'warn' }), policyOf(SCANNED, { name: 'x', mode: 'off' })];
    assert.equal(verdictOf(undefined, policies).outcome, 'allow');
  });

  it('is unscanned when only a scan is missing, V-39', () => {
    for (const facts of [undefined, factsOf({ scans: [] })]) {
      const verdict = verdictOf(facts, [policyOf(SCANNED)]);
      assert.equal(verdict.outcome, 'unscanned');
      assert.deepEqual(
        verdict.reasons.map(({ rule, text }) => `${rule}: ${text}`),
        ['scanned: not scanned yet by inspector'],
      );
    }
  });

  it('is a block when a scan is missing and something else speaks against it as well', () => {
    const facts = factsOf({ scans: [], findings: [findingOf({ kind: 'secret' })] });
    assert.equal(verdictOf(facts, [policyOf({ ...SCANNED, secrets: 'block' })]).outcome, 'block');
  });

  it('needs every scanner that the policy names', () => {
    const rules: Rules = { scanned: { by: ['inspector', 'trivy'], withinMs: 7 * DAY_MS } };
    const verdict = verdictOf(factsOf(), [policyOf(rules)]);
    assert.equal(verdict.outcome, 'unscanned');
    assert.match(verdict.reasons[0]?.text ?? '', /trivy/);
  });

  it('goes stale exactly when the scan is as old as allowed, V-36', () => {
    const facts = factsOf({ scans: [scanOf({ atMs: NOW_MS - 7 * DAY_MS })] });
    const outcomes = [-1, 0, 1].map((ms) => verdictOf(facts, [policyOf(SCANNED)], [], NOW_MS + ms).outcome);
    assert.deepEqual(outcomes, ['allow', 'unscanned', 'unscanned']);
  });

  it('blocks what a scanner could not read, V-28, V-42', () => {
    const facts = factsOf({ scans: [scanOf({ status: 'unscannable', reason: 'layer 2 is no tar' })] });
    const verdict = verdictOf(facts, [policyOf(SCANNED)]);
    assert.equal(verdict.outcome, 'block');
    assert.equal(verdict.reasons[0]?.text, 'inspector could not scan it: layer 2 is no tar');
  });

  it('asks for a scan even where the policy has rules but no scanned rule', () => {
    for (const rules of [HIGH, { secrets: 'block' }, { age: { maxMs: DAY_MS * 100 } }] satisfies Rules[]) {
      assert.equal(verdictOf(undefined, [policyOf(rules)]).outcome, 'unscanned');
      assert.equal(verdictOf(factsOf({ scans: [] }), [policyOf(rules)]).outcome, 'unscanned');
      assert.equal(verdictOf(factsOf(), [policyOf(rules)]).outcome, 'allow');
      const broken = factsOf({ scans: [scanOf({ status: 'unscannable' })] });
      assert.equal(verdictOf(broken, [policyOf(rules)]).outcome, 'block');
    }
  });

  it('blocks vulnerabilities from the threshold on', () => {
    for (const [severity, outcome] of [
      ['negligible', 'allow'],
      ['low', 'allow'],
      ['medium', 'allow'],
      ['high', 'block'],
      ['critical', 'block'],
    ] as const) {
      const verdict = verdictOf(factsOf({ findings: [findingOf({ severity })] }), [policyOf(HIGH)]);
      assert.equal(verdict.outcome, outcome, severity);
    }
  });

  it('ranks a severity that nobody knows as the worst, V-29', () => {
    const finding: Record<string, unknown> = { ...findingOf(), severity: 'Critical ' };
    const facts: Facts = JSON.parse(JSON.stringify(factsOf({ findings: [] })));
    const verdict = verdictOf({ ...facts, findings: JSON.parse(JSON.stringify([finding])) }, [
      policyOf(HIGH),
    ]);
    assert.equal(verdict.outcome, 'block');
  });

  it('passes over what has no fix where only fixable vulnerabilities count', () => {
    const policies = [policyOf({ vulnerabilities: { block: 'high', fixableOnly: true } })];
    assert.equal(verdictOf(factsOf({ findings: [findingOf()] }), policies).outcome, 'allow');
    const fixable = factsOf({ findings: [findingOf({ fixedVersion: '1.2' })] });
    assert.equal(verdictOf(fixable, policies).outcome, 'block');
  });

  it('blocks each kind of finding by its own rule only', () => {
    const rules = {
      vulnerabilities: HIGH,
      secrets: { secrets: 'block' },
      malware: { malware: 'block' },
      misconfiguration: { misconfiguration: { block: 'low' } },
    } as const satisfies Record<string, Rules>;
    const kinds = {
      vulnerability: 'vulnerabilities',
      secret: 'secrets',
      malware: 'malware',
      misconfiguration: 'misconfiguration',
    } as const;
    for (const [kind, own] of Object.entries(kinds)) {
      const facts = factsOf({ findings: [findingOf({ kind: kind as keyof typeof kinds })] });
      for (const [rule, given] of Object.entries(rules)) {
        const verdict = verdictOf(facts, [policyOf(given)]);
        assert.equal(verdict.outcome, rule === own ? 'block' : 'allow', `${kind} under ${rule}`);
        if (rule === own) assert.equal(verdict.reasons[0]?.rule, own);
      }
    }
  });

  it('blocks a misconfiguration by severity or by its id', () => {
    const finding = findingOf({ kind: 'misconfiguration', id: 'CIS-DI-4.1', severity: 'low' });
    const facts = factsOf({ findings: [finding] });
    const named = [policyOf({ misconfiguration: { checks: ['CIS-DI-4.1'] } })];
    assert.equal(verdictOf(facts, named).outcome, 'block');
    const others = [policyOf({ misconfiguration: { block: 'medium', checks: ['CIS-DI-4.6'] } })];
    assert.equal(verdictOf(facts, others).outcome, 'allow');
  });

  describe('on age', () => {
    const old = [policyOf({ age: { maxMs: 180 * DAY_MS } })];

    it('refuses an image exactly when it is as old as allowed, V-36', () => {
      const facts = factsOf({ createdAtMs: NOW_MS - 180 * DAY_MS });
      const outcomes = [-1, 0, 1].map((ms) => verdictOf(facts, old, [], NOW_MS + ms).outcome);
      assert.deepEqual(outcomes, ['allow', 'block', 'block']);
    });

    it('counts from first sight where the image has no date that can be true', () => {
      assert.equal(verdictOf(factsOf({ firstSeenAtMs: NOW_MS - DAY_MS }), old).outcome, 'allow');
      assert.equal(verdictOf(factsOf({ firstSeenAtMs: NOW_MS - 200 * DAY_MS }), old).outcome, 'block');
    });

    it('counts from first sight where the image claims to be younger than that, V-34', () => {
      const facts = factsOf({ createdAtMs: NOW_MS + DAY_MS, firstSeenAtMs: NOW_MS - 180 * DAY_MS });
      assert.equal(verdictOf(facts, old).outcome, 'block');
    });
  });

  it('looks only at secrets, malware and scans of an artifact', () => {
    const rules: Rules = { ...HIGH, age: { maxMs: DAY_MS }, misconfiguration: { block: 'negligible' } };
    const findings = [findingOf(), findingOf({ kind: 'misconfiguration' })];
    const artifact = factsOf({ kind: 'artifact', findings, createdAtMs: NOW_MS - 100 * DAY_MS });
    assert.equal(verdictOf(artifact, [policyOf(rules)]).outcome, 'allow');
    assert.equal(verdictOf({ ...artifact, kind: 'image' }, [policyOf(rules)]).outcome, 'block');
    const secret = { ...artifact, findings: [findingOf({ kind: 'secret' })] };
    assert.equal(verdictOf(secret, [policyOf({ secrets: 'block' })]).outcome, 'block');
    assert.equal(verdictOf({ ...artifact, scans: [] }, [policyOf(SCANNED)]).outcome, 'unscanned');
  });

  it('warns and admits where the policy only warns', () => {
    const facts = factsOf({ findings: [findingOf()] });
    const verdict = verdictOf(facts, [policyOf(HIGH, { mode: 'warn' })]);
    assert.equal(verdict.outcome, 'allow');
    assert.equal(verdict.warnings[0]?.rule, 'vulnerabilities');
  });

  it('enforces a mode that this version does not know', () => {
    const policy: Policy = JSON.parse(JSON.stringify({ ...policyOf(HIGH), mode: 'audit' }));
    assert.equal(verdictOf(factsOf({ findings: [findingOf()] }), [policy]).outcome, 'block');
  });

  it('names the worst rule first and takes the contact of the policy that refuses', () => {
    const facts = factsOf({
      findings: [findingOf(), findingOf({ kind: 'malware', id: 'eicar' })],
      scans: [],
    });
    const policies = [
      policyOf(HIGH, { name: 'a', contact: 'a@corp', mode: 'warn' }),
      policyOf({ ...SCANNED, malware: 'block' }, { name: 'b', contact: 'b@corp', holdMs: 1 }),
    ];
    const verdict = verdictOf(facts, policies);
    assert.deepEqual(
      verdict.reasons.map((reason) => reason.rule),
      ['malware', 'scanned'],
    );
    assert.equal(verdict.contact, 'b@corp');
    assert.equal(verdict.holdMs, 20_000);
  });

  it('puts the worst finding first', () => {
    const findings = [
      findingOf({ id: 'B' }),
      findingOf({ id: 'C', severity: 'critical' }),
      findingOf({ id: 'A' }),
    ];
    const [reason] = verdictOf(factsOf({ findings }), [policyOf(HIGH)]).reasons;
    assert.deepEqual(
      reason?.findings.map((finding) => finding.id),
      ['C', 'A', 'B'],
    );
  });
});

describe('a waiver', () => {
  const facts = factsOf({ findings: [findingOf()] });
  const policies = [policyOf(HIGH)];

  it('admits until the instant it ends and no longer, V-37', () => {
    const waivers = [waiverOf({ endsAtMs: NOW_MS })];
    const outcomes = [-1, 0, 1].map((ms) => verdictOf(facts, policies, waivers, NOW_MS + ms).outcome);
    assert.deepEqual(outcomes, ['allow', 'block', 'block']);
    assert.equal(verdictOf(facts, policies, waivers, NOW_MS - 1).validUntilMs, NOW_MS);
  });

  it('covers its own finding, digest and repositories only, V-37', () => {
    for (const [waiver, outcome] of [
      [waiverOf(), 'allow'],
      [waiverOf({ finding: 'CVE-2026-2' }), 'block'],
      [waiverOf({ digest: digestOf('rebuild') }), 'block'],
      [waiverOf({ pattern: 'team/**' }), 'allow'],
      [waiverOf({ pattern: 'lab/**' }), 'block'],
      [waiverOf({ pattern: 'not a pattern!' }), 'block'],
    ] as const) {
      assert.equal(verdictOf(facts, policies, [waiver]).outcome, outcome, JSON.stringify(waiver));
    }
  });

  it('with a pattern alone covers every digest there', () => {
    const { digest: _, ...waiver } = waiverOf({ pattern: 'team/**' });
    assert.equal(verdictOf(facts, policies, [waiver]).outcome, 'allow');
  });

  it('with neither digest nor pattern covers nothing', () => {
    const { digest: _, ...waiver } = waiverOf();
    assert.equal(verdictOf(facts, policies, [waiver]).outcome, 'block');
  });

  it('holds until the last of several ends', () => {
    const waivers = [waiverOf(), waiverOf({ id: 'w2', endsAtMs: NOW_MS + 3 * DAY_MS })];
    assert.equal(verdictOf(facts, policies, waivers).validUntilMs, NOW_MS + 3 * DAY_MS);
  });
});

describe('a policy whose pattern cannot be read', () => {
  it('applies everywhere', () => {
    const policies = [
      policyOf({ age: { maxMs: 999 * DAY_MS } }),
      policyOf(HIGH, { name: 'x', match: ['['] }),
    ];
    assert.equal(verdictOf(factsOf({ findings: [findingOf()] }), policies).outcome, 'block');
  });
});

describe('the verdict of an index', () => {
  const index = digestOf('index');
  const OWN = { facts: undefined, nowMs: NOW_MS };
  const ownOf = (facts: Partial<Facts>) => ({ facts: factsOf({ kind: 'index', ...facts }), nowMs: NOW_MS });
  const child = (facts: Facts | undefined): Verdict => verdictOf(facts, [policyOf({ ...SCANNED, ...HIGH })]);
  const admitted = child(factsOf());
  const refused = child(factsOf({ findings: [findingOf()] }));
  const unscanned = child(undefined);

  it('admits when one child is admitted', () => {
    const verdict = judgeIndex(index, [refused, unscanned, admitted], ENFORCED, OWN);
    assert.equal(verdict.outcome, 'allow');
    assert.equal(verdict.digest, index);
  });

  it('waits while a child may still be admitted', () => {
    assert.equal(judgeIndex(index, [refused, unscanned], ENFORCED, OWN).outcome, 'unscanned');
  });

  it('refuses when every child is refused, and says why', () => {
    const verdict = judgeIndex(index, [refused, refused], ENFORCED, OWN);
    assert.equal(verdict.outcome, 'block');
    assert.equal(verdict.reasons[0]?.rule, 'vulnerabilities');
  });

  it('refuses an index none of whose children is here, unless every policy only warns', () => {
    assert.equal(judgeIndex(index, [], ENFORCED, OWN).outcome, 'block');
    assert.equal(judgeIndex(index, [], effectiveOf([]), OWN).outcome, 'block');
    assert.equal(judgeIndex(index, [], effectiveOf([policyOf(SCANNED), WARNING]), OWN).outcome, 'block');
    const warned = judgeIndex(index, [], effectiveOf([WARNING]), OWN);
    assert.equal(warned.outcome, 'allow');
    assert.match(warned.warnings[0]?.text ?? '', /names no image/);
  });

  it('refuses a denied index whatever its children are', () => {
    const verdict = judgeIndex(index, [admitted], effectiveOf([WARNING]), ownOf({ denied: 'worm' }));
    assert.deepEqual([verdict.outcome, verdict.reasons[0]?.rule], ['block', 'denied']);
  });

  it('needs the signatures and media types that rules ask for on itself', () => {
    const rules: Rules = { signatures: { by: ['release'] }, mediaTypes: { allow: ['*index*'] } };
    const signed = ownOf({ attested: [{ by: 'release' }], mediaTypes: ['x/index'] });
    const strict = effectiveOf([policyOf(rules)]);
    assert.equal(judgeIndex(index, [admitted], strict, signed).outcome, 'allow');
    const plain = judgeIndex(index, [admitted], strict, ownOf({ mediaTypes: ['x/tar'] }));
    assert.equal(plain.outcome, 'block');
    assert.deepEqual(
      plain.reasons.map((reason) => reason.rule),
      ['signatures', 'mediaTypes'],
    );
    const warned = judgeIndex(index, [admitted], effectiveOf([policyOf(rules, { mode: 'warn' })]), OWN);
    assert.deepEqual([warned.outcome, warned.warnings[0]?.rule], ['allow', 'signatures']);
  });

  it('is no older than its children: rules about ages are for them', () => {
    const old = ownOf({ createdAtMs: 0, firstSeenAtMs: 0 });
    assert.equal(
      judgeIndex(index, [admitted], effectiveOf([policyOf({ age: { maxMs: 1 } })]), old).outcome,
      'allow',
    );
  });

  it('lasts no longer than the verdict of any child', () => {
    assert.equal(judgeIndex(index, [refused, admitted], ENFORCED, OWN).validUntilMs, admitted.validUntilMs);
  });
});

describe('a scanner that is needed and does not run here', () => {
  it('is named, with the policy that needs it', () => {
    const needed = missingScanners(undefined, IMAGE, effectiveOf([policyOf(SCANNED)]), NOW_MS);
    assert.deepEqual(
      needed.map(({ scanner, policy }) => [scanner, policy.name]),
      [['inspector', 'baseline']],
    );
    const anyScanner = missingScanners(undefined, IMAGE, effectiveOf([policyOf(HIGH)]), NOW_MS);
    assert.equal(anyScanner[0]?.scanner, '*');
    assert.deepEqual(missingScanners(factsOf(), IMAGE, effectiveOf([policyOf(SCANNED)]), NOW_MS), []);
  });

  it('turns waiting into a block', () => {
    const policy = policyOf(SCANNED);
    const verdict = blockWithoutScanner(verdictOf(undefined, [policy]), 'inspector', policy);
    assert.equal(verdict.outcome, 'block');
    assert.equal(verdict.reasons[0]?.text, 'scanner inspector is not running here');
    assert.equal(blockWithoutScanner(verdict, '*', policy).reasons[0]?.text, 'no scanner is running here');
  });
});

describe('the shipped policies', () => {
  it('admit an ordinary image as root without HEALTHCHECK, with advice', () => {
    const root = findingOf({ kind: 'misconfiguration', id: 'CIS-DI-4.1', severity: 'high' });
    const verdict = verdictOf(factsOf({ findings: [root] }), SHIPPED_POLICIES);
    assert.equal(verdict.outcome, 'allow');
    assert.equal(verdict.warnings[0]?.policy, 'default-advice');
  });

  it('refuse a secret, malware and what was never scanned', () => {
    for (const kind of ['secret', 'malware'] as const) {
      const facts = factsOf({ findings: [findingOf({ kind })] });
      assert.equal(verdictOf(facts, SHIPPED_POLICIES).outcome, 'block');
    }
    assert.equal(verdictOf(undefined, SHIPPED_POLICIES).outcome, 'unscanned');
  });
});

describe('for any facts, policies and waivers', () => {
  const policies = fc.array(arbitraryPolicy, { minLength: 1, maxLength: 4 });
  const waivers = fc.array(arbitraryWaiver, { maxLength: 3 });
  const isAdmitted = (verdict: Verdict): boolean => verdict.outcome === 'allow';

  it('one more policy never admits what the others refuse', () => {
    fc.assert(
      fc.property(arbitraryFacts, policies, waivers, arbitraryPolicy, (facts, some, waived, more) => {
        if (isAdmitted(verdictOf(facts, some, waived))) return;
        // Where no policy applied at all, a policy is what opens the repository.
        if (effectiveOf(some).policies.length === 0) return;
        assert.equal(isAdmitted(verdictOf(facts, [...some, more], waived)), false);
      }),
    );
  });

  it('one more finding never admits, and one waiver less neither', () => {
    fc.assert(
      fc.property(arbitraryFacts, policies, waivers, arbitraryFinding, (facts, some, waived, finding) => {
        const before = verdictOf(facts, some, waived);
        if (isAdmitted(before)) return;
        const worse = { ...facts, findings: [...facts.findings, finding] };
        assert.equal(isAdmitted(verdictOf(worse, some, waived)), false);
        assert.equal(isAdmitted(verdictOf(facts, some, waived.slice(1))), false);
      }),
    );
  });

  it('the verdict is the same until the millisecond before validUntil', () => {
    fc.assert(
      fc.property(
        arbitraryFacts,
        policies,
        waivers,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (...given) => {
          const [facts, some, waived, share] = given;
          const verdict = verdictOf(facts, some, waived);
          assert.ok(verdict.validUntilMs > NOW_MS);
          const lastMs = verdict.validUntilMs - 1;
          const betweenMs = NOW_MS + Math.floor((lastMs - NOW_MS) * share);
          assert.deepEqual(verdictOf(facts, some, waived, betweenMs), verdict);
          assert.deepEqual(verdictOf(facts, some, waived, lastMs), verdict);
        },
      ),
    );
  });

  it('time alone changes something at validUntil', () => {
    fc.assert(
      fc.property(arbitraryFacts, policies, waivers, (facts, some, waived) => {
        const verdict = verdictOf(facts, some, waived);
        if (verdict.validUntilMs === Number.MAX_SAFE_INTEGER) return;
        assert.notDeepEqual(verdictOf(facts, some, waived, verdict.validUntilMs), verdict);
      }),
    );
  });

  it('a block or a missing scan always has a reason, and an admission none', () => {
    fc.assert(
      fc.property(fc.option(arbitraryFacts, { nil: undefined }), policies, waivers, (facts, some, waived) => {
        const verdict = verdictOf(facts, some, waived);
        assert.equal(isAdmitted(verdict), verdict.reasons.length === 0);
      }),
    );
  });
});
