import { DAY_MS, SECOND_MS } from '../base/index.ts';
import type { Policy } from './types.ts';

/**
 * The policies of a fresh installation: ordinary ones, replaced by applying one of the same name. What they refuse
 * is wrong in every image, so that a typical image that is pushed today can be pulled today; the rest is advice.
 */
export const SHIPPED_POLICIES: readonly Policy[] = [
  {
    name: 'default',
    match: ['**'],
    mode: 'enforce',
    holdMs: 20 * SECOND_MS,
    rules: {
      scanned: { by: ['inspector'], withinMs: 7 * DAY_MS },
      secrets: 'block',
      malware: 'block',
    },
  },
  {
    name: 'default-advice',
    match: ['**'],
    mode: 'warn',
    holdMs: 20 * SECOND_MS,
    rules: { age: { maxMs: 365 * DAY_MS }, misconfiguration: { block: 'medium' } },
  },
];

/**
 * The same where a scanner for malware is configured as well: without its scan an image is not scanned. A policy that
 * an admin has written says itself which scanners it needs.
 */
export function shippedPolicies(alsoNeeded: readonly string[]): readonly Policy[] {
  return SHIPPED_POLICIES.map((policy) => {
    const { scanned } = policy.rules;
    if (!scanned) return policy;
    return {
      ...policy,
      rules: { ...policy.rules, scanned: { ...scanned, by: [...scanned.by, ...alsoNeeded] } },
    };
  });
}
