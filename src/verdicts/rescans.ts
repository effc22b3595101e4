import { type Clock, HOUR_MS } from '../base/index.ts';
import type { Digest } from '../oci/index.ts';
import type { Policy } from '../policy/index.ts';
import type { FactReads, ScanRequests } from './ports.ts';

/** Scans queued by one look; more wait for the next, so that the queue stays short. */
const COUNT_MAX = 200;
/** A digest that was queued and is still old (gone, unreachable) is left alone for so long. */
const AGAIN_MS = HOUR_MS;

/**
 * Finds what was scanned long ago, before it is too long ago: at half of the shortest time that a policy allows, so
 * that a scanner may be away for the other half and no pull ever meets a stale scan.
 *
 * @returns the function that queues what is due now.
 */
export function createRescans(
  scanners: readonly { readonly name: string }[],
  parts: {
    readonly facts: Pick<FactReads, 'listPolicies' | 'listScannedBefore'>;
    readonly requests: Pick<ScanRequests, 'request'>;
    readonly clock: Clock;
  },
): () => Promise<void> {
  const queuedAtMs = new Map<Digest, number>();

  function forgetOld(): void {
    for (const [digest, atMs] of queuedAtMs) {
      if (parts.clock.monotonicMs() - atMs >= AGAIN_MS) queuedAtMs.delete(digest);
    }
  }

  return async () => {
    forgetOld();
    const policies = await parts.facts.listPolicies();
    for (const { name } of scanners) {
      const withinMs = shortestWithinMs(policies, name);
      if (withinMs === undefined) continue;
      const beforeMs = parts.clock.nowMs() - withinMs / 2;
      // Those left alone stand first in the list, being the oldest; without room for more they would hide the rest.
      const old = await parts.facts.listScannedBefore(name, beforeMs, COUNT_MAX + queuedAtMs.size);
      for (const { repository, digest } of old.filter((one) => !queuedAtMs.has(one.digest))) {
        queuedAtMs.set(digest, parts.clock.monotonicMs());
        await parts.requests.request(repository, digest, 'rescan');
      }
    }
  };
}

function shortestWithinMs(policies: readonly Policy[], scanner: string): number | undefined {
  const limits = policies
    .filter((policy) => policy.mode !== 'off' && policy.rules.scanned?.by.includes(scanner))
    .map((policy) => policy.rules.scanned?.withinMs ?? Number.POSITIVE_INFINITY);
  return limits.length === 0 ? undefined : Math.min(...limits);
}
