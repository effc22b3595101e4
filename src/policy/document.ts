import * as z from 'zod';
import { printDuration, SECOND_MS } from '../base/index.ts';
import { parsePattern } from '../oci/index.ts';
import { duration, exact, withoutAbsent } from './document-shapes.ts';
import {
  nameShape,
  printPushRules,
  printRules,
  pushShape,
  rulesShape,
  toPushRules,
  toRules,
} from './rules-document.ts';
import type { Policy } from './types.ts';

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
  name: nameShape,
  match,
  mode: z.enum(['enforce', 'warn', 'off'], 'must be enforce, warn or off').default('enforce'),
  hold: duration(0, HOLD_MS_MAX).default(20 * SECOND_MS),
  rules: rulesShape,
  push: pushShape.optional(),
  waivers: z.literal('approved', 'must be approved, or be left out').optional(),
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
    policies: policies.map(({ name, match, mode, holdMs, rules, push, waivers, contact }) =>
      withoutAbsent({
        name,
        match,
        mode,
        hold: printDuration(holdMs),
        rules: printRules(rules),
        push: push && printPushRules(push),
        waivers,
        contact,
      }),
    ),
  };
}

function toPolicy({ hold, rules, push, ...given }: DocumentPolicy): Policy {
  return withoutAbsent({
    ...given,
    holdMs: hold,
    rules: toRules(rules),
    push: push && toPushRules(push),
  });
}

function printPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}
