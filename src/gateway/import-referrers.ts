import { LRUCache } from 'lru-cache';
import { createSingleFlight, MINUTE_MS } from '../base/index.ts';
import type { Digest, Repository } from '../oci/index.ts';
import { type LoadParts, loadManifest } from './load.ts';
import type { ReferrerImports } from './parts.ts';

const REMEMBERED_MS = MINUTE_MS;
const SUBJECTS_MAX = 10_000;
const AT_ONCE = 4;

export function createReferrerImports(parts: LoadParts, rememberedMs = REMEMBERED_MS): ReferrerImports {
  const asked = new LRUCache<string, number>({ max: SUBJECTS_MAX });
  const oneFlight = createSingleFlight<void>();

  async function ask(key: string, repository: Repository, subject: Digest): Promise<void> {
    const located = parts.sources.locate(repository);
    if (located?.source.kind !== 'upstream') return;
    const digests = await located.source.listReferrers(located.name, subject);
    for (let first = 0; first < digests.length; first += AT_ONCE) {
      const group = digests.slice(first, first + AT_ONCE);
      await Promise.all(group.map((digest) => loadManifest(parts, repository, digest)));
    }
    asked.set(key, parts.clock.monotonicMs());
  }

  return {
    async bring(repository, subject) {
      const key = `${repository}@${subject}`;
      const atMs = asked.get(key);
      if (atMs !== undefined && parts.clock.monotonicMs() - atMs < rememberedMs) return;
      await oneFlight(key, () => ask(key, repository, subject));
    },
  };
}
