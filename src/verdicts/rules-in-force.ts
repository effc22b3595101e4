import type { Changes, Clock } from '../base/index.ts';
import type { Repository } from '../oci/index.ts';
import {
  canonicalText,
  type Effective,
  effectivePolicies,
  type Feeds,
  type Policy,
  type Waiver,
} from '../policy/index.ts';
import { createLiveCache } from './live-cache.ts';
import type { FactReads } from './ports.ts';

/** The policies and waivers of one repository, and the hash that stands for them. */
export interface RulesInForce {
  readonly effective: Effective;
  readonly policyHash: string;
}

const REPOSITORIES_MAX = 5000;

/** Reads policies, waivers and what is loaded of feeds once and selects for each repository once, until they change. */
export function createRules(parts: {
  readonly facts: Pick<FactReads, 'listFeeds' | 'listPolicies' | 'listWaivers'>;
  readonly registryOf?: (repository: Repository) => string | undefined;
  readonly changes: Changes;
  readonly clock: Clock;
  readonly hash: (text: string) => string;
}): { inForce(repository: Repository): Promise<RulesInForce>; clear(): void } {
  const all = createLiveCache<readonly [readonly Policy[], readonly Waiver[], Feeds]>(
    { entriesMax: 1 },
    parts,
  );
  const selected = createLiveCache<RulesInForce>({ entriesMax: REPOSITORIES_MAX }, parts);

  async function readFeeds(): Promise<Feeds> {
    const kept = await parts.facts.listFeeds();
    return Object.fromEntries(
      kept.flatMap(({ name, content }) => {
        if (!content) return [];
        const { revision, asOfMs } = content;
        return [[name, { revision, asOfMs }]];
      }),
    );
  }
  const readAll = async () => ({
    value: await Promise.all([parts.facts.listPolicies(), parts.facts.listWaivers(), readFeeds()]),
  });
  async function select(repository: Repository) {
    const [policies, waivers, feeds] = await all.get('all', readAll);
    const effective = effectivePolicies(policies, waivers, repository, {
      feeds,
      registry: parts.registryOf?.(repository),
    });
    return { value: { effective, policyHash: parts.hash(canonicalText(effective)) } };
  }

  return {
    inForce: (repository) => selected.get(repository, () => select(repository)),
    clear() {
      all.clear();
      selected.clear();
    },
  };
}
