import type { Finding } from '../../policy/index.ts';
import type { LocatedSecret } from './file-search.ts';
import { INSPECTOR } from './name.ts';
import { isTestMaterial } from './test-material.ts';

/** Says what was found and what to do; never a part of the secret itself. */
export function toSecretFinding(secret: LocatedSecret, location: string): Finding {
  const { rule, hint } = secret.found;
  const what = `${rule.title}${hint === '' ? '' : ` (${hint})`}`;
  const where = secret.line === undefined ? '' : `, line ${secret.line}`;
  if (isTestMaterial(secret.origin, rule.id)) {
    return {
      kind: 'misconfiguration',
      id: 'test-key-in-package',
      severity: 'negligible',
      title: `${what}${where}, as packages ship it for tests or examples: nothing to do if a package put it there`,
      by: INSPECTOR,
      location,
    };
  }
  return {
    kind: 'secret',
    id: rule.id,
    severity: rule.severity,
    title: `${what} in clear text${where}: revoke it, then build the image without it`,
    by: INSPECTOR,
    location,
  };
}
