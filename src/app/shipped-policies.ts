import { shippedPolicies } from '../policy/index.ts';
import type { StoreWrites } from '../store/index.ts';
import type { NodeConfig } from './node-config.ts';

/**
 * At every start: the policies of the configuration file are those in force, and those that ship with this version
 * take the place of those that shipped before. What an admin replaced or removed stays as the admin left it: the store
 * knows who set a policy last.
 */
export async function ensurePolicies(
  { policies, scanners }: Pick<NodeConfig, 'policies' | 'scanners'>,
  facts: Pick<StoreWrites['facts'], 'replaceConfigPolicies' | 'putPolicy'>,
): Promise<void> {
  await facts.replaceConfigPolicies(policies);
  const alsoNeeded = scanners.clamav ? ['clamav'] : [];
  for (const policy of shippedPolicies(alsoNeeded)) await facts.putPolicy(policy, 'shipped');
}
