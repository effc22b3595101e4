import * as z from 'zod';
import { DAY_MS, parseDuration, printDuration, SECOND_MS } from '../base/index.ts';
import { parsePattern } from '../oci/index.ts';
import { type Policy, type Rules, SEVERITIES } from './types.ts';

/** What is wrong in a document, and where: `policies[0].rules.age.max`. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

export type PolicyDocument =
  | { readonly ok: true; readonly policies: readonly Policy[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const HOLD_MS_MAX = 120 * SECOND_MS;
const POLICIES_COUNT_MAX = 1000;
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** An object with exactly these members; an unknown one is a problem that names those there are. */
function exact<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => {
      const names = Object.keys(shape).join(', ');
      if (issue.code !== 'unrecognized_keys') return `must be a section with the keys ${names}`;
      return `unknown key ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}; allowed: ${names}`;
    },
  });
}

function duration(minMs: number, maxMs: number) {
  const message = `must be a duration such as 20s, 12h or 7d, from ${printDuration(minMs)} to ${printDuration(maxMs)}`;
  return z.string(message).transform((text, context): number => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

const CENTURY_MS = 36_500 * DAY_MS;
const NAME_RULE = 'must be a-z 0-9 . _ - (at most 63, the first a letter or digit)';
const name = z.string(NAME_RULE).regex(NAME, NAME_RULE);
const severity = z.enum(SEVERITIES, `must be one of ${SEVERITIES.join(', ')}`);
const block = z.literal('block', 'must be block, or be left out');

const rules = exact({
  scanned: exact({
    by: z.array(name, 'must be a list of scanners, such as [inspector]').min(1, 'names no scanner').max(16),
    within: duration(60 * SECOND_MS, CENTURY_MS),
  }).optional(),
  age: exact({ max: duration(60 * SECOND_MS, CENTURY_MS) }).optional(),
  vulnerabilities: exact({ block: severity, fixableOnly: z.boolean().default(false) }).optional(),
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
}).refine(
  (given) => Object.values(given).some((rule) => rule !== undefined),
  'needs at least one rule: a policy without rules would admit everything unscanned',
);

const match = z
  .array(
    z.string('must be a pattern').min(1, 'is empty').max(256),
    'must be a list of patterns, such as ["team/**", "!team/lab"]',
  )
  .min(1, 'names no repository: use ["**"] for all')
  .max(64)
  .superRefine((patterns, context) => {
    const result = parsePattern(patterns.join(','));
    if (!result.ok) context.addIssue({ code: 'custom', message: result.problem });
  });

const policy = exact({
  name,
  match,
  mode: z.enum(['enforce', 'warn', 'off'], 'must be enforce, warn or off').default('enforce'),
  hold: duration(0, HOLD_MS_MAX).default(20 * SECOND_MS),
  rules,
  contact: z
    .string()
    .regex(/^[\x20-\x7e]{1,100}$/, 'must be 1 to 100 printable ASCII characters')
    .optional(),
});

const document = exact({
  policies: z.array(policy, 'must be a list of policies').max(POLICIES_COUNT_MAX),
}).superRefine(({ policies }, context) => {
  for (const [index, { name }] of policies.entries()) {
    if (policies.findIndex((other) => other.name === name) === index) continue;
    const message = `there are two policies named ${JSON.stringify(name)}; names must differ`;
    context.addIssue({ code: 'custom', path: ['policies', index, 'name'], message });
  }
});

type DocumentPolicy = z.output<typeof policy>;

/** Reads the parsed YAML or JSON of a policy file: `policies: [...]`. Says everything that is wrong at once. */
export function parsePolicyDocument(value: unknown): PolicyDocument {
  const result = document.safeParse(value);
  if (result.success) return { ok: true, policies: result.data.policies.map(toPolicy) };
  const problems = result.error.issues.map(({ path, message }) => ({ path: printPath(path), message }));
  return { ok: false, problems };
}

/** The plain value to be printed as YAML or JSON; parsePolicyDocument reads it back as the same policies. */
export function printPolicyDocument(policies: readonly Policy[]): { readonly policies: readonly object[] } {
  return {
    policies: policies.map(({ name, match, mode, holdMs, rules, contact }) => ({
      name,
      match,
      mode,
      hold: printDuration(holdMs),
      rules: printRules(rules),
      ...(contact === undefined ? {} : { contact }),
    })),
  };
}

function toPolicy({ name, match, mode, hold, rules, contact }: DocumentPolicy): Policy {
  const base = { name, match, mode, holdMs: hold, rules: toRules(rules) };
  return contact === undefined ? base : { ...base, contact };
}

function toRules(given: DocumentPolicy['rules']): Rules {
  const { scanned, age, vulnerabilities, secrets, malware, misconfiguration } = given;
  return {
    ...(scanned ? { scanned: { by: scanned.by, withinMs: scanned.within } } : {}),
    ...(age ? { age: { maxMs: age.max } } : {}),
    ...(vulnerabilities ? { vulnerabilities } : {}),
    ...(secrets ? { secrets } : {}),
    ...(malware ? { malware } : {}),
    ...(misconfiguration ? { misconfiguration: withoutAbsent(misconfiguration) } : {}),
  };
}

function withoutAbsent(rule: NonNullable<DocumentPolicy['rules']['misconfiguration']>) {
  return {
    ...(rule.block === undefined ? {} : { block: rule.block }),
    ...(rule.checks === undefined ? {} : { checks: rule.checks }),
  };
}

function printRules({ scanned, age, ...others }: Rules): object {
  return {
    ...(scanned ? { scanned: { by: scanned.by, within: printDuration(scanned.withinMs) } } : {}),
    ...(age ? { age: { max: printDuration(age.maxMs) } } : {}),
    ...others,
  };
}

function printPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}
