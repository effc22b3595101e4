import { parsePattern } from '../oci/index.ts';
import type { TrafficOptions } from '../traffic/index.ts';
import type { NodeConfig } from './node-config.ts';

/** What one address, one principal and some repositories may take, as the configuration says. */
export function trafficOptions({
  limits,
}: Pick<NodeConfig, 'limits'>): Pick<TrafficOptions, 'address' | 'principal' | 'repositories'> {
  return {
    address: limits.address,
    principal: limits.principal,
    repositories: limits.repositories.flatMap(({ on, allowance }) => {
      const parsed = parsePattern(on);
      return parsed.ok ? [{ pattern: parsed.pattern, allowance }] : [];
    }),
  };
}
