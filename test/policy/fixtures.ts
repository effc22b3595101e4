import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { DAY_MS } from '../../src/base/index.ts';
import { type Digest, parseDigest, parseRepository, type Repository } from '../../src/oci/index.ts';
import {
  type Effective,
  effectivePolicies,
  type Facts,
  type Feeds,
  type Finding,
  type Policy,
  type Rules,
  type Scan,
  SEVERITIES,
  type VulnerabilityRule,
  type Waiver,
} from '../../src/policy/index.ts';

export const NOW_MS = Date.UTC(2026, 5, 1);

export function digestOf(text: string): Digest {
  const digest = parseDigest(`sha256:${createHash('sha256').update(text).digest('hex')}`);
  if (!digest) throw new Error('a sha256 digest is a digest');
  return digest;
}

export function repositoryOf(text: string): Repository {
  const repository = parseRepository(text);
  if (!repository) throw new Error(`${text} is no repository`);
  return repository;
}

export const APP = repositoryOf('team/app');
export const IMAGE = digestOf('image');

export function policyOf(rules: Rules, more: Partial<Policy> = {}): Policy {
  return { name: 'baseline', match: ['**'], mode: 'enforce', holdMs: 20_000, rules, ...more };
}

export function scanOf(more: Partial<Scan> = {}): Scan {
  return { by: 'inspector', atMs: NOW_MS - DAY_MS, version: '1', status: 'done', ...more };
}

export function factsOf(more: Partial<Facts> = {}): Facts {
  return {
    digest: IMAGE,
    kind: 'image',
    firstSeenAtMs: NOW_MS - 10 * DAY_MS,
    scans: [scanOf()],
    findings: [],
    ...more,
  };
}

export function findingOf(more: Partial<Finding> = {}): Finding {
  return {
    kind: 'vulnerability',
    id: 'CVE-2026-1',
    severity: 'high',
    title: 'a hole',
    by: 'inspector',
    ...more,
  };
}

export function waiverOf(more: Partial<Waiver> = {}): Waiver {
  return {
    id: 'w1',
    finding: 'CVE-2026-1',
    digest: IMAGE,
    reason: 'mitigated',
    author: 'ann',
    endsAtMs: NOW_MS + DAY_MS,
    ...more,
  };
}

export function effectiveOf(
  policies: readonly Policy[],
  waivers: readonly Waiver[] = [],
  repository = APP,
  feeds: Feeds = {},
): Effective {
  return effectivePolicies(policies, waivers, repository, { feeds });
}

const days = (minDays: number, maxDays: number) =>
  fc.integer({ min: minDays * DAY_MS, max: maxDays * DAY_MS });
const severity = fc.constantFrom(...SEVERITIES);
const cve = fc.constantFrom('CVE-2026-1', 'CVE-2026-2', 'CVE-2026-3');

export const arbitraryFinding: fc.Arbitrary<Finding> = fc
  .record({
    kind: fc.constantFrom('vulnerability', 'secret', 'malware', 'misconfiguration'),
    id: cve,
    severity,
    more: partial({
      fixedVersion: fc.constant('2.0'),
      cvss: fc.constantFrom(2, 7.5, 9.8),
      epss: fc.constantFrom(0.05, 0.5),
      epssPercentile: fc.constantFrom(0.3, 0.95),
      isExploited: fc.constant(true as const),
      dueAtMs: days(-20, 20).map((age) => NOW_MS - age),
      publishedAtMs: days(-10, 40).map((age) => NOW_MS - age),
    }),
  })
  .map(({ more, ...finding }) => findingOf({ ...finding, ...more }));

const arbitraryScan: fc.Arbitrary<Scan> = fc
  .record({
    by: fc.constantFrom('inspector', 'trivy'),
    age: days(0, 20),
    status: fc.constantFrom('done', 'done', 'done', 'unscannable'),
  })
  .map(({ by, age, status }) => scanOf({ by, atMs: NOW_MS - age, status }));

const arbitraryFeed = days(0, 20).map((age) => ({ revision: 'r', asOfMs: NOW_MS - age }));

export const arbitraryFacts: fc.Arbitrary<Facts> = fc
  .record({
    kind: fc.constantFrom('image', 'image', 'artifact'),
    seen: days(0, 400),
    created: fc.option(days(-2, 800), { nil: undefined }),
    scans: fc.uniqueArray(arbitraryScan, { selector: (scan) => scan.by, maxLength: 2 }),
    findings: fc.array(arbitraryFinding, { maxLength: 5 }),
    more: partial<Partial<Facts>>({
      baseCreatedAtMs: days(0, 800).map((age) => NOW_MS - age),
      supersededAtMs: days(0, 800).map((age) => NOW_MS - age),
      sizeBytes: fc.integer({ min: 1, max: 2 ** 40 }),
      layerCount: fc.integer({ min: 0, max: 200 }),
      mediaTypes: fc.constant(['application/vnd.oci.image.manifest.v1+json']),
      artifactType: fc.constantFrom('a/b', 'c/d'),
      denied: fc.constant('worm'),
      feeds: partial<Feeds>({ epss: arbitraryFeed, kev: arbitraryFeed }),
      packages: fc.constant([{ name: 'abc', version: '1', licenses: ['GPL-2.0-only'] }]),
      attested: fc.constant([{ by: 'release' }, { by: 'ci', predicateType: 'https://spdx.dev/Document' }]),
    }),
  })
  .map(({ kind, seen, created, scans, findings, more }) =>
    factsOf({
      kind,
      firstSeenAtMs: NOW_MS - seen,
      ...(created === undefined ? {} : { createdAtMs: NOW_MS - created }),
      scans,
      findings,
      ...more,
    }),
  );

const maxAge = fc.record({ maxMs: days(1, 500) });
const someText = fc.constantFrom('a*', 'b@1', '*', 'GPL-*', 'application/vnd.oci.*');
const someTexts = fc.uniqueArray(someText, { minLength: 1, maxLength: 3 });
const trustedNames = fc.subarray(['release', 'ci'], { minLength: 1 });

/** Records some of whose members are absent, never undefined. */
function partial<Model>(model: { [Key in keyof Model]: fc.Arbitrary<Model[Key]> }) {
  return fc.record(model, { requiredKeys: [], noNullPrototype: true });
}

const shapeRules = {
  artifacts: fc.oneof(fc.constant('block' as const), fc.record({ allow: someTexts })),
  mediaTypes: partial({ allow: someTexts, deny: someTexts }).filter((rule) => Object.keys(rule).length > 0),
  size: partial({
    maxBytes: fc.integer({ min: 1, max: 2 ** 40 }),
    maxLayers: fc.integer({ min: 1, max: 200 }),
  }).filter((rule) => Object.keys(rule).length > 0),
};

const FEED_RULES = ['epss', 'epssPercentile', 'exploited'];

const arbitraryVulnerabilityRule: fc.Arbitrary<VulnerabilityRule> = fc
  .record(
    {
      block: severity,
      cvss: fc.integer({ min: 0, max: 10 }),
      epss: fc.constantFrom(0.1, 0.5),
      epssPercentile: fc.constantFrom(0.9, 0.99),
      exploited: fc.constantFrom(true as const, 'past-due' as const),
      graceMs: days(1, 30),
      fixableOnly: fc.boolean(),
    },
    { requiredKeys: ['fixableOnly'], noNullPrototype: true },
  )
  .filter((rule) => ['block', 'cvss', ...FEED_RULES].some((name) => name in rule))
  .chain((rule) =>
    FEED_RULES.some((name) => name in rule)
      ? fc.option(days(1, 15), { nil: undefined }).map((feedWithinMs) => ({
          ...rule,
          ...(feedWithinMs === undefined ? {} : { feedWithinMs }),
        }))
      : fc.constant(rule),
  );

const arbitraryRules: fc.Arbitrary<Rules> = partial<Required<Rules>>({
  scanned: fc.record({
    by: fc.subarray(['inspector', 'trivy'], { minLength: 1 }),
    withinMs: days(1, 15),
  }),
  age: maxAge,
  baseAge: maxAge,
  superseded: maxAge,
  vulnerabilities: arbitraryVulnerabilityRule,
  secrets: fc.constant('block' as const),
  malware: fc.constant('block' as const),
  misconfiguration: fc.record({ block: severity }),
  signatures: fc.record({ by: trustedNames }),
  attestations: fc.array(
    fc.record(
      {
        type: fc.constantFrom('https://slsa.dev/provenance/v1', 'https://spdx.dev/Document'),
        by: trustedNames,
        builder: someTexts,
        source: someTexts,
      },
      { requiredKeys: ['type', 'by'], noNullPrototype: true },
    ),
    { minLength: 1, maxLength: 2 },
  ),
  licenses: fc.record({ deny: someTexts }),
  packages: fc.record({ deny: someTexts }),
  registries: fc.record({ allow: someTexts }),
  ...shapeRules,
});

export const arbitraryPolicy: fc.Arbitrary<Policy> = fc
  .record({
    name: fc.stringMatching(/^[a-z]{1,8}$/),
    mode: fc.constantFrom('enforce', 'enforce', 'warn'),
    holdMs: fc.integer({ min: 0, max: 120_000 }),
    match: fc.constantFrom(['**'], ['team/**'], ['**', '!lab/**']),
    rules: arbitraryRules,
    more: partial({
      push: partial({ ...shapeRules, immutableTags: fc.constant(['v*']) }).filter(
        (rules) => Object.keys(rules).length > 0,
      ),
      waivers: fc.constant('approved' as const),
    }),
  })
  .map(({ rules, more, ...policy }) => structuredClone(policyOf(rules, { ...policy, ...more })));

export const arbitraryWaiver: fc.Arbitrary<Waiver> = fc
  .record({
    id: fc.stringMatching(/^[a-z]{1,8}$/),
    what: fc.oneof(
      fc.record({ finding: cve }),
      fc.record({ rule: fc.constantFrom('age', 'size', 'scanned', 'signatures', 'malware', 'denied') }),
    ),
    isApproved: fc.boolean(),
    ends: days(-2, 10),
    digest: fc.constantFrom(IMAGE, digestOf('other')),
  })
  .map(({ ends, what, isApproved, ...waiver }) => {
    const { finding, ...plain } = waiverOf({ ...waiver, endsAtMs: NOW_MS + ends });
    return { ...plain, ...what, ...(isApproved ? { approvedBy: 'bob' } : {}) };
  });
