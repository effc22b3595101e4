import { against, type Case, CONTENT, type Opinion } from './opinion.ts';
import type { Package, Rules } from './types.ts';
import { matchesAny } from './wildcard.ts';

const NAMED_COUNT_MAX = 3;

/** Without an SBOM nobody knows what is inside, so it is refused. */
export function judgePackages(rules: Pick<Rules, 'packages' | 'licenses'>, one: Case): readonly Opinion[] {
  const all = one.facts?.packages;
  return [
    judge('packages', rules.packages, all, (deny, { name, version }) =>
      matchesAny(deny, name) || matchesAny(deny, `${name}@${version}`) ? `${name}@${version}` : undefined,
    ),
    judge('licenses', rules.licenses, all, (deny, { name, licenses }) => {
      const denied = licenses.find((license) => isDeniedExpression(deny, license));
      return denied === undefined ? undefined : `${name} (${denied})`;
    }),
  ];
}

function judge(
  name: 'packages' | 'licenses',
  rule: { readonly deny: readonly string[] } | undefined,
  packages: readonly Package[] | undefined,
  describeDenied: (deny: readonly string[], one: Package) => string | undefined,
): Opinion {
  if (!rule) return CONTENT;
  if (!packages)
    return against(name, 'it has no SBOM: let a scanner make one, or push it with the scan result');
  const denied = packages.flatMap((one) => describeDenied(rule.deny, one) ?? []);
  if (denied.length === 0) return CONTENT;
  const more = denied.length > NAMED_COUNT_MAX ? ` +${denied.length - NAMED_COUNT_MAX} more` : '';
  const what = name === 'packages' ? 'packages' : 'licenses';
  return against(name, `${what} not allowed here: ${denied.slice(0, NAMED_COUNT_MAX).join(', ')}${more}`);
}

/**
 * An expression with OR is denied when every choice is; with AND (or one without operator) when any part is. An
 * expression with brackets is read strictly: any denied part denies it.
 *
 * @see SPDX specification 2.3, annex D: license expressions
 */
function isDeniedExpression(deny: readonly string[], expression: string): boolean {
  const isAnyDenied = (text: string): boolean =>
    text
      .split(/\s+(?:and|or|with)\s+|[()]/i)
      .map((part) => part.trim())
      .some((part) => part !== '' && matchesAny(deny, part));
  if (/[()]/.test(expression)) return isAnyDenied(expression);
  return expression.split(/\s+or\s+/i).every(isAnyDenied);
}
