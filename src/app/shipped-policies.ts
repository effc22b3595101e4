import { type Policy, SHIPPED_POLICIES } from '../policy/index.ts';
import type { StoreWrites } from '../store/index.ts';

/**
 * At every start: the policies of the configuration file are those in force, and those that ship with this version
 * take the place of those that shipped before. What an admin replaced or removed stays as the admin left it: the store
 * knows who set a policy last.
 */
export async function ensurePolicies(
  configured: readonly Policy[],
  facts: Pick<StoreWrites['facts'], 'replaceConfigPolicies' | 'putPolicy'>,
): Promise<void> {
  await facts.replaceConfigPolicies(configured);
  for (const policy of SHIPPED_POLICIES) await facts.putPolicy(policy, 'shipped');
}
