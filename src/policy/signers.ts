import type { Problem } from './document.ts';
import type { Policy } from './types.ts';

/**
 * Signers that rules ask for and that nobody has: a rule that waits for a misspelt name refuses everything, and nobody
 * sees why until the first pull.
 *
 * @param trusted names of the keys and identities under `trust` in the configuration.
 * @returns where each stands, as in a policy file.
 */
export function unknownSigners(policies: readonly Policy[], trusted: readonly string[]): readonly Problem[] {
  const known = trusted.length === 0 ? 'nobody is configured there' : `there are ${trusted.join(', ')}`;
  return policies.flatMap(({ rules }, index) =>
    namedIn(rules)
      .filter(({ name }) => !trusted.includes(name))
      .map(({ place, name }) => ({
        path: `policies[${index}].rules.${place}`,
        message: `trust in the configuration knows no ${JSON.stringify(name)}; ${known}`,
      })),
  );
}

function namedIn({ signatures, attestations }: Policy['rules']) {
  return [
    ...(signatures?.by ?? []).map((name, at) => ({ place: `signatures.by[${at}]`, name })),
    ...(attestations ?? []).flatMap(({ by }, rule) =>
      by.map((name, at) => ({ place: `attestations[${rule}].by[${at}]`, name })),
    ),
  ];
}
