import type { Logger } from '../base/index.ts';
import { trustedNames } from '../config/index.ts';
import { shippedPolicies, unknownSigners } from '../policy/index.ts';
import type { StoreWrites } from '../store/index.ts';
import type { NodeConfig } from './node-config.ts';

/**
 * At every start: the policies of the configuration file are those in force, and those that ship with this version
 * take the place of those that shipped before. What an admin replaced or removed stays as the admin left it: the store
 * knows who set a policy last.
 */
export async function ensurePolicies(
  { policies, scanners, trust }: Pick<NodeConfig, 'policies' | 'scanners' | 'trust'>,
  { facts, logger }: { readonly facts: StoreWrites['facts']; readonly logger: Logger },
): Promise<void> {
  await facts.replaceConfigPolicies(policies);
  const alsoNeeded = scanners.clamav ? ['clamav'] : [];
  for (const policy of shippedPolicies(alsoNeeded)) await facts.putPolicy(policy, 'shipped');
  for (const policy of await facts.listPolicies()) {
    // Taken out of the configuration after the policy was applied: what it covers is refused.
    for (const { message } of unknownSigners([policy], trustedNames(trust))) {
      logger.warn('a policy asks for a signer that is not configured', {
        policy: policy.name,
        reason: message,
      });
    }
  }
}
