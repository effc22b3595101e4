import * as z from 'zod';
import { DAY_MS, parseBytes, printBytes, printDuration, SECOND_MS } from '../base/index.ts';
import { duration, exact, numberFrom, texts, withoutAbsent } from './document-shapes.ts';
import { type PushRules, type Rules, SEVERITIES } from './types.ts';

const CENTURY_MS = 36_500 * DAY_MS;
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const NAME_RULE = 'must be a-z 0-9 . _ - (at most 63, the first a letter or digit)';
export const nameShape = z.string(NAME_RULE).regex(NAME, NAME_RULE);

const severity = z.enum(SEVERITIES, `must be one of ${SEVERITIES.join(', ')}`);
const block = z.literal('block', 'must be block, or be left out');
const span = duration(60 * SECOND_MS, CENTURY_MS);
const maxAge = exact({ max: span });
const trusted = z.array(nameShape, 'must be a list of names under trust').min(1, 'names nobody').max(64);
const denied = exact({ deny: texts('patterns') });

const bytes = z.string('must be a size such as 500MB or 2GiB').transform((text, context): number => {
  const count = parseBytes(text);
  if (count !== undefined && count > 0) return count;
  context.addIssue({ code: 'custom', message: 'must be a size such as 500MB or 2GiB' });
  return z.NEVER;
});

const shapeRules = {
  artifacts: z
    .union([block, exact({ allow: texts('artifact types') })], 'must be block or { allow: [TYPE, …] }')
    .optional(),
  mediaTypes: exact({ allow: texts('media types').optional(), deny: texts('media types').optional() })
    .refine((rule) => rule.allow ?? rule.deny, 'needs allow or deny')
    .optional(),
  size: exact({ max: bytes.optional(), layers: z.int().min(1).max(1000).optional() })
    .refine((rule) => rule.max ?? rule.layers, 'needs max (a size) or layers (a count)')
    .optional(),
};

const vulnerabilities = exact({
  block: severity.optional(),
  cvss: numberFrom(0, 10).optional(),
  epss: numberFrom(0, 1).optional(),
  epssPercentile: numberFrom(0, 1).optional(),
  exploited: z.enum(['block', 'past-due'], 'must be block or past-due, or be left out').optional(),
  feedWithin: span.optional(),
  fixableOnly: z.boolean().default(false),
  grace: span.optional(),
})
  .refine(
    ({ fixableOnly, grace, feedWithin, ...counts }) =>
      Object.values(counts).some((value) => value !== undefined),
    'needs at least one of block (a severity), cvss, epss, epssPercentile, exploited',
  )
  .refine(
    ({ feedWithin, epss, epssPercentile, exploited }) =>
      feedWithin === undefined || [epss, epssPercentile, exploited].some((value) => value !== undefined),
    'has feedWithin, but neither epss, epssPercentile nor exploited, which look into feeds',
  );

const attestation = exact({
  type: z.string().min(1).max(256),
  by: trusted,
  builder: texts('builders', 64).optional(),
  source: texts('source repositories', 64).optional(),
});

export const rulesShape = exact({
  scanned: exact({
    by: z
      .array(nameShape, 'must be a list of scanners, such as [inspector]')
      .min(1, 'names no scanner')
      .max(16),
    within: span,
  }).optional(),
  age: maxAge.optional(),
  baseAge: maxAge.optional(),
  superseded: maxAge.optional(),
  vulnerabilities: vulnerabilities.optional(),
  secrets: block.optional(),
  malware: block.optional(),
  misconfiguration: exact({
    block: severity.optional(),
    checks: z.array(z.string().min(1).max(128)).min(1).max(500).optional(),
  })
    .refine(
      (rule) => rule.block !== undefined || rule.checks !== undefined,
      'needs block (a severity) or checks',
    )
    .optional(),
  signatures: exact({ by: trusted }).optional(),
  attestations: z.array(attestation, 'must be a list').min(1).max(16).optional(),
  licenses: denied.optional(),
  packages: denied.optional(),
  registries: exact({ allow: texts('registries', 64) }).optional(),
  ...shapeRules,
}).refine(
  (given) => Object.values(given).some((rule) => rule !== undefined),
  'needs at least one rule: a policy without rules would admit everything unscanned',
);

export const pushShape = exact({ ...shapeRules, immutableTags: texts('tag patterns', 64).optional() }).refine(
  (given) => Object.values(given).some((rule) => rule !== undefined),
  'needs at least one rule',
);

/** The same rules in the units in which they are judged. */
export function toRules(given: z.output<typeof rulesShape>): Rules {
  const { scanned, age, baseAge, superseded, vulnerabilities, misconfiguration, attestations, ...others } =
    given;
  const maxOf = (rule: typeof age) => rule && { maxMs: rule.max };
  return withoutAbsent({
    ...toPushRules(others),
    secrets: others.secrets,
    malware: others.malware,
    signatures: others.signatures,
    licenses: others.licenses,
    packages: others.packages,
    registries: others.registries,
    scanned: scanned && { by: scanned.by, withinMs: scanned.within },
    age: maxOf(age),
    baseAge: maxOf(baseAge),
    superseded: maxOf(superseded),
    vulnerabilities: vulnerabilities && toVulnerabilityRule(vulnerabilities),
    misconfiguration: misconfiguration && withoutAbsent(misconfiguration),
    attestations: attestations?.map((rule) => withoutAbsent(rule)),
  });
}

function toVulnerabilityRule({ exploited, grace, feedWithin, ...rule }: z.output<typeof vulnerabilities>) {
  return withoutAbsent({
    ...rule,
    exploited: exploited === 'block' ? (true as const) : exploited,
    graceMs: grace,
    feedWithinMs: feedWithin,
  });
}

export function toPushRules(given: z.output<typeof pushShape>): PushRules {
  return withoutAbsent({
    artifacts: given.artifacts,
    mediaTypes: given.mediaTypes && withoutAbsent(given.mediaTypes),
    size: given.size && withoutAbsent({ maxBytes: given.size.max, maxLayers: given.size.layers }),
    immutableTags: given.immutableTags,
  });
}

/** The plain value that toRules reads back as the same rules. */
export function printRules(rules: Rules): object {
  const { scanned, age, baseAge, superseded, vulnerabilities, size, ...others } = rules;
  const printMax = (rule: typeof age) => rule && { max: printDuration(rule.maxMs) };
  return withoutAbsent({
    ...others,
    scanned: scanned && { by: scanned.by, within: printDuration(scanned.withinMs) },
    age: printMax(age),
    baseAge: printMax(baseAge),
    superseded: printMax(superseded),
    vulnerabilities: vulnerabilities && printVulnerabilityRule(vulnerabilities),
    size: size && printSize(size),
  });
}

function printVulnerabilityRule(given: NonNullable<Rules['vulnerabilities']>) {
  const { exploited, graceMs, feedWithinMs, ...rule } = given;
  const print = (ms: number | undefined) => (ms === undefined ? undefined : printDuration(ms));
  return withoutAbsent({
    ...rule,
    exploited: exploited === true ? 'block' : exploited,
    grace: print(graceMs),
    feedWithin: print(feedWithinMs),
  });
}

export function printPushRules({ size, ...others }: PushRules): object {
  return withoutAbsent({ ...others, size: size && printSize(size) });
}

function printSize({ maxBytes, maxLayers }: NonNullable<Rules['size']>) {
  return withoutAbsent({ max: maxBytes === undefined ? undefined : printBytes(maxBytes), layers: maxLayers });
}
