import assert from 'node:assert/strict';
import fc from 'fast-check';
import { judge, refusalSentence, type Verdict, warningHeader } from '../../src/policy/index.ts';
import {
  APP,
  arbitraryFacts,
  arbitraryPolicy,
  effectiveOf,
  factsOf,
  findingOf,
  IMAGE,
  NOW_MS,
  policyOf,
  repositoryOf,
} from './fixtures.ts';

const DECISION = 'abcdefghijklmnopqrstuvwxyz';
const findings = [1, 2, 3, 4, 5].map((number) =>
  findingOf({ id: `CVE-2026-${number}`, ...(number === 1 ? { fixedVersion: '1.2.3-4' } : {}) }),
);
const HIGH = { vulnerabilities: { block: 'high', fixableOnly: false } } as const;

function refused(contact?: string, more = findings): Verdict {
  const policy = policyOf(HIGH, contact === undefined ? {} : { contact });
  return judge(factsOf({ findings: more }), IMAGE, effectiveOf([policy]), NOW_MS);
}

describe('the sentence of a refusal', () => {
  it('names repository, short digest, rule, policy, three findings with their fix, contact and decision', () => {
    const verdict = refused('security@corp.example');
    assert.equal(
      refusalSentence({ repository: APP, digest: IMAGE, verdict, decisionId: DECISION }),
      `dockgate: blocked team/app@${IMAGE.slice(0, 19)} by rule vulnerabilities of policy baseline: ` +
        '5 vulnerabilities found: CVE-2026-1 (fixed in 1.2.3-4), CVE-2026-2, CVE-2026-3 +2 more; ' +
        `ask security@corp.example; decision ${DECISION}`,
    );
  });

  it('names a finding once that lies in several packages', () => {
    const verdict = refused(undefined, [findingOf(), findingOf({ package: 'other' })]);
    const text = refusalSentence({ repository: APP, digest: IMAGE, verdict, decisionId: DECISION });
    assert.equal(text.match(/CVE-2026-1/g)?.length, 1);
    assert.doesNotMatch(text, /more/);
  });

  it('stays whole at both ends with the longest repository there can be', () => {
    const repository = repositoryOf('a'.repeat(255));
    const verdict = refused('c'.repeat(100));
    const text = refusalSentence({ repository, digest: IMAGE, verdict, decisionId: DECISION });
    assert.ok(text.length <= 300);
    assert.match(text, /^dockgate: blocked a+\.\.\.@sha256:[0-9a-f]{12} by rule vulnerabilities/);
    assert.ok(text.endsWith(`; decision ${DECISION}`));
  });

  it('tells a repository that no policy covers', () => {
    const verdict = judge(factsOf(), IMAGE, effectiveOf([]), NOW_MS);
    const text = refusalSentence({ repository: APP, digest: IMAGE, verdict, decisionId: DECISION });
    assert.match(text, /by rule unmatched: no policy covers this repository/);
  });

  it('is printable ASCII of at most 300 characters for any verdict and any text from outside', () => {
    const wild = fc.string({ unit: 'binary', maxLength: 400 });
    fc.assert(
      fc.property(wild, wild, wild, wild, wild, (id, fixedVersion, contact, name, decisionId) => {
        const policy = policyOf({ secrets: 'block' }, { contact, name });
        const facts = factsOf({ findings: [findingOf({ kind: 'secret', id, fixedVersion })] });
        const verdict = judge(facts, IMAGE, effectiveOf([policy]), NOW_MS);
        const text = refusalSentence({ repository: APP, digest: IMAGE, verdict, decisionId });
        assert.match(text, /^dockgate: blocked team\/app@sha256:[\x20-\x7e]*$/);
        assert.ok(text.length <= 300, `${text.length}`);
        assert.ok(text.includes('; decision '));
      }),
    );
  });

  it('exists for every verdict that admits nothing', () => {
    fc.assert(
      fc.property(arbitraryFacts, fc.array(arbitraryPolicy, { maxLength: 3 }), (facts, policies) => {
        const verdict = judge(facts, IMAGE, effectiveOf(policies), NOW_MS);
        const text = refusalSentence({ repository: APP, digest: IMAGE, verdict, decisionId: DECISION });
        assert.ok(text.length <= 300 && text.endsWith(DECISION));
      }),
    );
  });
});

describe('the Warning header', () => {
  const warned = (id: string): Verdict =>
    judge(
      factsOf({ findings: [findingOf({ id })] }),
      IMAGE,
      effectiveOf([policyOf(HIGH, { mode: 'warn' })]),
      NOW_MS,
    );

  it('says what a policy in mode warn found', () => {
    const header = warningHeader({
      repository: APP,
      digest: IMAGE,
      verdict: warned('CVE-1'),
      decisionId: DECISION,
    });
    assert.match(header ?? '', /^299 - "dockgate: warning for team\/app@sha256:.*CVE-1; decision [a-z]+"$/);
  });

  it('is absent when there is nothing to warn of', () => {
    const verdict = judge(factsOf(), IMAGE, effectiveOf([policyOf(HIGH)]), NOW_MS);
    const header = warningHeader({ repository: APP, digest: IMAGE, verdict, decisionId: DECISION });
    assert.equal(header, undefined);
  });

  it('cannot be broken out of by a text from a scanner', () => {
    const sentence = { repository: APP, digest: IMAGE, decisionId: DECISION };
    const header = warningHeader({ ...sentence, verdict: warned('"\r\nSet-Cookie: a=b\\') });
    assert.match(header ?? '', /^299 - "[^"\\\r\n]*"$/);
  });
});
