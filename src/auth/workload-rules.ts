/** Which workloads of one issuer are which robot: every claim named must match. */
export interface WorkloadRule {
  readonly robot: string;
  /** Claim to pattern: `*` is any text without `/` and `:`, `**` any text; a pattern covers the whole claim. */
  readonly claims: Readonly<Record<string, string>>;
}

/** An issuer of workload tokens: a CI server, a cluster. */
export interface WorkloadIssuer {
  /** Exactly as the tokens name it in `iss`; its keys are found below it. */
  readonly issuer: string;
  /** One of them must be in the token's `aud`. */
  readonly audiences: readonly string[];
  /** A token that was issued for longer is refused. */
  readonly lifetimeMsMax: number;
  readonly rules: readonly WorkloadRule[];
}

const CLAIM_LENGTH_MAX = 1024;

/**
 * The robot of the first rule whose claims all match.
 * @returns `undefined` when none does: a claim that is missing, or that is no text, matches nothing.
 */
export function robotFor(
  rules: readonly WorkloadRule[],
  claims: Readonly<Record<string, unknown>>,
): string | undefined {
  return rules.find((rule) =>
    Object.entries(rule.claims).every(
      ([name, pattern]) => Object.hasOwn(claims, name) && matchesClaim(pattern, claims[name]),
    ),
  )?.robot;
}

function matchesClaim(pattern: string, value: unknown): boolean {
  if (typeof value !== 'string' || value.length > CLAIM_LENGTH_MAX) return false;
  return new RegExp(`^${pattern.split(/(\*+)/).map(toExpression).join('')}$`, 'su').test(value);
}

/** What is no wildcard stands for itself: no expression of an operator or a token is ever run. */
function toExpression(part: string): string {
  if (part === '*') return '[^/:]*';
  if (/^\*\*+$/.test(part)) return '.*';
  return part.replace(/[^A-Za-z0-9]/gu, (letter) => `\\u{${letter.codePointAt(0)?.toString(16)}}`);
}
