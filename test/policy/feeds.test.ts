import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DAY_MS } from '../../src/base/index.ts';
import {
  type Facts,
  type Feeds,
  type FeedWord,
  type Finding,
  judge,
  type Rules,
  refusalSentence,
  withFeedWords,
} from '../../src/policy/index.ts';
import {
  APP,
  arbitraryFacts,
  arbitraryFinding,
  effectiveOf,
  factsOf,
  findingOf,
  IMAGE,
  NOW_MS,
  policyOf,
} from './fixtures.ts';

type VulnerabilityRule = NonNullable<Rules['vulnerabilities']>;

const FRESH = { revision: 'r', asOfMs: NOW_MS };
const BOTH: Feeds = { epss: FRESH, kev: FRESH };

function judged(rule: Omit<VulnerabilityRule, 'fixableOnly'>, facts: Partial<Facts>) {
  const policies = [policyOf({ vulnerabilities: { fixableOnly: false, ...rule } })];
  return judge(factsOf({ findings: [findingOf()], ...facts }), IMAGE, effectiveOf(policies), NOW_MS);
}

const textsOf = (...given: Parameters<typeof judged>) => judged(...given).reasons.map(({ text }) => text);
const agedBy = (ms: number) => ({ revision: 'r', asOfMs: NOW_MS - ms });

describe('a rule that looks into a feed', () => {
  for (const [title, rule, feeds, texts] of [
    [
      'refuses where no EPSS scores are loaded',
      { epss: 0.5 },
      { kev: FRESH },
      ['there are no EPSS scores to judge by: see policy feeds'],
    ],
    [
      'refuses by percentile where no EPSS scores are loaded',
      { epssPercentile: 0.5 },
      {},
      ['there are no EPSS scores to judge by: see policy feeds'],
    ],
    [
      'refuses where no catalog is loaded',
      { exploited: true },
      { epss: FRESH },
      ['there is no KEV catalog to judge by: see policy feeds'],
    ],
    ['asks for no feed that it does not look into', { block: 'critical' }, {}, []],
    [
      'admits by a feed of a millisecond less than 7 days',
      { epss: 0.5 },
      { epss: agedBy(7 * DAY_MS - 1) },
      [],
    ],
    [
      'refuses by a feed of 7 days unless it says otherwise',
      { epss: 0.5 },
      { epss: agedBy(7 * DAY_MS) },
      ['the EPSS scores are of 2026-05-25, older than 7d: see policy feeds'],
    ],
    [
      'refuses by a feed as old as it says',
      { exploited: 'past-due', feedWithinMs: 2 * DAY_MS },
      { kev: agedBy(2 * DAY_MS) },
      ['the KEV catalog is of 2026-05-30, older than 2d: see policy feeds'],
    ],
    [
      'admits by a feed younger than it says',
      { epss: 0.5, feedWithinMs: 30 * DAY_MS },
      { epss: agedBy(29 * DAY_MS) },
      [],
    ],
  ] as const) {
    it(title, () => assert.deepEqual(textsOf(rule, { feeds }), texts));
  }

  it('refuses where nobody knows of any feed', () => {
    assert.equal(textsOf({ exploited: true }, {}).length, 1);
  });

  it('admits what has no vulnerability, which no feed could speak against', () => {
    assert.deepEqual(textsOf({ epss: 0.5, exploited: true }, { findings: [] }), []);
    const secret = findingOf({ kind: 'secret' });
    assert.deepEqual(textsOf({ epss: 0.5, exploited: true }, { findings: [secret] }), []);
  });

  it('changes its mind when the feed gets too old, and when a due date is over', () => {
    assert.equal(judged({ epss: 0.5 }, { feeds: BOTH }).validUntilMs, NOW_MS + 7 * DAY_MS);
    const due = findingOf({ isExploited: true, dueAtMs: NOW_MS + DAY_MS });
    const verdict = judged({ exploited: 'past-due' }, { feeds: BOTH, findings: [due] });
    assert.deepEqual([verdict.outcome, verdict.validUntilMs], ['allow', NOW_MS + DAY_MS]);
  });

  it('never admits a vulnerability without its feed, whatever else is known', () => {
    fc.assert(
      fc.property(arbitraryFacts, arbitraryFinding, (facts, finding) => {
        const findings = [...facts.findings, { ...finding, kind: 'vulnerability' as const }];
        const { kind: _, feeds: __, ...known } = facts;
        assert.notEqual(judged({ exploited: true }, { ...known, findings }).outcome, 'allow');
        assert.notEqual(judged({ epss: 1 }, { ...known, feeds: { kev: FRESH }, findings }).outcome, 'allow');
      }),
    );
  });
});

describe('what feeds say of findings', () => {
  const words = new Map<string, FeedWord>([
    [
      'CVE-2026-1',
      { epss: { score: 0.7, percentile: 0.98 }, kev: { addedAtMs: NOW_MS, dueAtMs: NOW_MS + 1 } },
    ],
    ['CVE-2026-2', { kev: { addedAtMs: NOW_MS } }],
    ['CVE-2026-3', { epss: { score: 0, percentile: 0 } }],
  ]);
  const told = (finding: Partial<Finding>) => withFeedWords([findingOf(finding)], words);

  it('is put beside what the scanner says, whose score is older', () => {
    assert.deepEqual(told({ epss: 0.1 }), [
      findingOf({
        ...{ epss: 0.7, epssPercentile: 0.98 },
        ...{ isExploited: true, exploitedSinceMs: NOW_MS, dueAtMs: NOW_MS + 1 },
      }),
    ]);
    assert.deepEqual(told({ id: 'CVE-2026-2', epss: 0.1 }), [
      findingOf({ id: 'CVE-2026-2', epss: 0.1, isExploited: true, exploitedSinceMs: NOW_MS }),
    ]);
  });

  it('takes nothing back that the scanner knows to be exploited', () => {
    const [finding] = told({ id: 'CVE-2026-3', isExploited: true });
    assert.deepEqual([finding?.isExploited, finding?.epss], [true, 0]);
  });

  it('is of vulnerabilities alone', () => {
    assert.deepEqual(told({ kind: 'secret' }), [findingOf({ kind: 'secret' })]);
    assert.deepEqual(told({ id: 'CVE-2026-9' }), [findingOf({ id: 'CVE-2026-9' })]);
  });

  it('is told in the refusal', () => {
    const findings = withFeedWords([findingOf({ fixedVersion: '2.0' })], words);
    const verdict = judged({ exploited: true }, { feeds: BOTH, findings });
    const sentence = refusalSentence({ repository: APP, digest: IMAGE, verdict, decisionId: 'd' });
    assert.match(sentence, /CVE-2026-1 \(in KEV since 2026-06-01, EPSS 0\.70, fixed in 2\.0\)/);
  });
});
