import type { Digest, Repository } from '../oci/index.ts';
import type { Policy, Verdict } from '../policy/index.ts';
import { createFinder, type Finder, type FinderParts } from './find-verdict.ts';

/** Verdicts as they would be under policies that are not in force. Nothing is scanned, served or remembered for it. */
export interface Trials {
  /** @returns the verdict on a digest of a repository, under these policies and the waivers that there are. */
  under(policies: readonly Policy[]): (repository: Repository, digest: Digest) => Promise<Verdict>;
  close(): void;
}

/** Whoever asks page by page asks for the same; more at once begin anew. */
const TRIALS_MAX = 4;
const ENTRIES_MAX = 5000;

export function createTrials(parts: Omit<FinderParts, 'memory'>): Trials {
  const finders = new Map<string, Finder>();

  function finderOf(policies: readonly Policy[]): Finder {
    const key = JSON.stringify(policies);
    const known = finders.get(key);
    // The oldest stands first, and goes first.
    finders.delete(key);
    const finder = known ?? open(policies);
    finders.set(key, finder);
    const [[oldest, dropped] = []] = finders;
    if (finders.size > TRIALS_MAX && oldest !== undefined) {
      dropped?.close();
      finders.delete(oldest);
    }
    return finder;
  }

  function open(policies: readonly Policy[]): Finder {
    const { findFacts, listFeeds, listWaivers } = parts.facts;
    return createFinder(
      { entriesMax: ENTRIES_MAX },
      {
        ...parts,
        facts: { findFacts, listFeeds, listWaivers, listPolicies: async () => policies },
        // A trial of a thousand images must not put a thousand scans before those that somebody waits for.
        scans: { isOffered: parts.scans.isOffered, request: async () => {} },
      },
    );
  }

  return {
    under(policies) {
      const finder = finderOf(policies);
      return async (repository, digest) => (await finder.ofManifest(repository, digest)).verdict;
    },
    close() {
      for (const finder of finders.values()) finder.close();
      finders.clear();
    },
  };
}
