import { type Policy, SHIPPED_POLICIES } from '../policy/index.ts';
import type { StoreWrites } from '../store/index.ts';
import type { NodeConfig } from './node-config.ts';

/**
 * Makes the policies of the configuration file those in force, and puts in the shipped ones where there is no policy
 * at all yet: an admin who removed one does not find it again.
 */
export async function ensurePolicies(config: NodeConfig, facts: StoreWrites['facts']): Promise<void> {
  const isFirstStart = (await facts.listPolicies()).length === 0;
  await facts.replaceConfigPolicies(config.policies);
  if (!isFirstStart) return;
  const owned = new Set(config.policies.map((policy: Policy) => policy.name));
  for (const policy of SHIPPED_POLICIES) {
    if (!owned.has(policy.name)) await facts.putPolicy(policy, 'shipped');
  }
}
