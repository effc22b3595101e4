import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { DAY_MS } from '../../src/base/index.ts';
import { type Digest, parseDigest, parseRepository, type Repository } from '../../src/oci/index.ts';
import {
  type Effective,
  effectivePolicies,
  type Facts,
  type Finding,
  type Policy,
  type Rules,
  type Scan,
  SEVERITIES,
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
): Effective {
  return effectivePolicies(policies, waivers, repository);
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
    fixedVersion: fc.option(fc.constant('2.0'), { nil: undefined }),
  })
  .map(({ fixedVersion, ...finding }) => findingOf(fixedVersion ? { ...finding, fixedVersion } : finding));

const arbitraryScan: fc.Arbitrary<Scan> = fc
  .record({
    by: fc.constantFrom('inspector', 'trivy'),
    age: days(0, 20),
    status: fc.constantFrom('done', 'done', 'done', 'unscannable'),
  })
  .map(({ by, age, status }) => scanOf({ by, atMs: NOW_MS - age, status }));

export const arbitraryFacts: fc.Arbitrary<Facts> = fc
  .record({
    kind: fc.constantFrom('image', 'image', 'artifact'),
    seen: days(0, 400),
    created: fc.option(days(-2, 800), { nil: undefined }),
    scans: fc.uniqueArray(arbitraryScan, { selector: (scan) => scan.by, maxLength: 2 }),
    findings: fc.array(arbitraryFinding, { maxLength: 5 }),
  })
  .map(({ kind, seen, created, scans, findings }) =>
    factsOf({
      kind,
      firstSeenAtMs: NOW_MS - seen,
      ...(created === undefined ? {} : { createdAtMs: NOW_MS - created }),
      scans,
      findings,
    }),
  );

const arbitraryRules: fc.Arbitrary<Rules> = fc.record(
  {
    scanned: fc.record({
      by: fc.subarray(['inspector', 'trivy'], { minLength: 1 }),
      withinMs: days(1, 15),
    }),
    age: fc.record({ maxMs: days(1, 500) }),
    vulnerabilities: fc.record({ block: severity, fixableOnly: fc.boolean() }),
    secrets: fc.constant('block' as const),
    malware: fc.constant('block' as const),
    misconfiguration: fc.record({ block: severity }),
  },
  { requiredKeys: [], noNullPrototype: true },
);

export const arbitraryPolicy: fc.Arbitrary<Policy> = fc
  .record({
    name: fc.stringMatching(/^[a-z]{1,8}$/),
    mode: fc.constantFrom('enforce', 'enforce', 'warn'),
    holdMs: fc.integer({ min: 0, max: 120_000 }),
    match: fc.constantFrom(['**'], ['team/**'], ['**', '!lab/**']),
    rules: arbitraryRules,
  })
  .map(({ rules, ...policy }) => structuredClone(policyOf(rules, policy)));

export const arbitraryWaiver: fc.Arbitrary<Waiver> = fc
  .record({
    id: fc.stringMatching(/^[a-z]{1,8}$/),
    finding: cve,
    ends: days(-2, 10),
    digest: fc.constantFrom(IMAGE, digestOf('other')),
  })
  .map(({ ends, ...waiver }) => waiverOf({ ...waiver, endsAtMs: NOW_MS + ends }));
