import { type Clock, HOUR_MS } from '../base/index.ts';
import type { Digest, Repository } from '../oci/index.ts';
import type { Policy } from '../policy/index.ts';
import type { FactReads, ScanRequests } from './ports.ts';
import type { ScannerVersions } from './scanner-versions.ts';

/** Scans queued by one look; more wait for the next, so that the queue stays short. */
const COUNT_MAX = 200;
/** A digest that was queued and is still old (gone, unreachable) is left alone for so long. */
const AGAIN_MS = HOUR_MS;

/**
 * Finds what was scanned long ago, before it is too long ago: at half of the shortest time that a policy allows, so
 * that a scanner may be away for the other half and no pull ever meets a stale scan. After that what was scanned with
 * another version of a scanner or its database, what was pulled lately first.
 *
 * @returns the function that queues what is due now.
 */
export function createRescans(
  scanners: readonly { readonly name: string }[],
  parts: {
    readonly facts: Pick<FactReads, 'listPolicies' | 'listScannedBefore' | 'listScannedByOther'>;
    readonly versions: ScannerVersions;
    /** Digests that somebody got lately, the last one first; more of them than there are images do no harm. */
    readonly listPulled: () => Promise<readonly Digest[]>;
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

  async function queue(found: readonly { readonly repository: Repository; readonly digest: Digest }[]) {
    for (const { repository, digest } of found.filter((one) => !queuedAtMs.has(one.digest))) {
      queuedAtMs.set(digest, parts.clock.monotonicMs());
      await parts.requests.request(repository, digest, 'rescan');
    }
  }

  async function queueOutdated(): Promise<void> {
    await parts.versions.refresh();
    let pulled: readonly Digest[] | undefined;
    for (const { name } of scanners) {
      const { version } = parts.versions.of(name);
      if (version === undefined) continue;
      const limit = COUNT_MAX + queuedAtMs.size;
      if ((await parts.facts.listScannedByOther(name, version, { limit: 1 })).length === 0) continue;
      pulled ??= await parts.listPulled();
      await queue(await parts.facts.listScannedByOther(name, version, { among: pulled, limit }));
      await queue(await parts.facts.listScannedByOther(name, version, { limit }));
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
      await queue(old);
    }
    await queueOutdated();
  };
}

function shortestWithinMs(policies: readonly Policy[], scanner: string): number | undefined {
  const limits = policies
    .filter((policy) => policy.mode !== 'off' && policy.rules.scanned?.by.includes(scanner))
    .map((policy) => policy.rules.scanned?.withinMs ?? Number.POSITIVE_INFINITY);
  return limits.length === 0 ? undefined : Math.min(...limits);
}
