import { LRUCache } from 'lru-cache';
import { type Clock, HOUR_MS, KiB, MINUTE_MS, newId, type Random, SECOND_MS } from '../base/index.ts';
import type { Digest } from '../oci/index.ts';
import type { Verdict } from '../policy/index.ts';
import type { VerdictMemory } from '../verdicts/index.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { Seal } from './seal.ts';

/** A verdict as it lies in Redis, sealed. */
interface Entry {
  readonly verdict: Verdict;
  /** When its facts were read, or earlier. */
  readonly asOfMs: number;
  /** The generation of the digest at that time. */
  readonly generation: string;
}

/** What `find` learnt and `keep` needs: the generation before the facts were read. */
type Before = Pick<Entry, 'asOfMs' | 'generation'>;

/** However long a verdict is valid: what Redis could have put back from a backup is never older. */
const ENTRY_MS_MAX = 10 * MINUTE_MS;
const GENERATION_MS = HOUR_MS;
/** Larger verdicts (thousands of findings) are judged again instead. */
const VALUE_LENGTH_MAX = 64 * KiB;
const GENERATION_LENGTH = 26;
/** An entry from further ahead comes from a clock that is wrong. */
const AHEAD_MS_MAX = 5 * SECOND_MS;
const DIGESTS_MAX = 50_000;

/**
 * Remembers verdicts in Redis for other processes and replicas. Redis is not trusted:
 * - an entry carries an HMAC over its key and all of its content; what does not verify is a miss;
 * - an entry names the generation of its digest; dropping a digest ends the generation, so a slow writer cannot put
 *   back what was true before;
 * - what this process heard of changes counts more than anything that Redis says.
 */
export function createRedisVerdicts(
  redis: RedisConnection,
  { seal, clock, random }: { readonly seal: Seal; readonly clock: Clock; readonly random: Random },
): VerdictMemory {
  const before = new LRUCache<string, Before>({ max: DIGESTS_MAX });
  /** Digests whose generation could not be ended because Redis was away. */
  const owed = new Set<Digest>();
  let believedFromMs = Number.NEGATIVE_INFINITY;
  const changedAtMs = new LRUCache<Digest, number>({
    max: DIGESTS_MAX,
    // Whoever is forgotten here must not be believed more for it.
    dispose: (atMs, _digest, reason) => {
      if (reason === 'evict') believedFromMs = Math.max(believedFromMs, atMs);
    },
  });

  redis.onBack(() => {
    for (const digest of [...owed]) void endGeneration(digest);
  });

  async function endGeneration(digest: Digest): Promise<void> {
    // DEL and not SET: a Redis that is full refuses everything that could grow (threats F-06).
    const answer = await redis.ask((client) => client.del(generationKey(digest)));
    if (answer !== undefined) owed.delete(digest);
    else if (owed.size < DIGESTS_MAX) owed.add(digest);
  }

  /** The generation that counts now; begun when there is none. */
  async function beginGeneration(digest: Digest): Promise<string | undefined> {
    const fresh = newId(random);
    const answer = await redis.ask((client) =>
      client.set(generationKey(digest), fresh, 'PX', GENERATION_MS, 'NX', 'GET'),
    );
    if (answer === undefined) return undefined;
    return answer ?? fresh;
  }

  async function read(digest: Digest, key: string): Promise<readonly [string, string] | undefined> {
    const replies = await redis.ask((client) =>
      client
        .pipeline()
        // No more than a value may have: whoever can write there could have put anything.
        .getrange(key, 0, VALUE_LENGTH_MAX)
        .getrange(generationKey(digest), 0, GENERATION_LENGTH)
        .exec()
        .then(textsOf),
    );
    const [value, generation] = replies ?? [];
    return value === undefined || generation === undefined ? undefined : [value, generation];
  }

  function isBelieved(entry: Entry, digest: Digest, generation: string): boolean {
    const nowMs = clock.nowMs();
    return (
      entry.generation === generation &&
      entry.verdict.digest === digest &&
      entry.asOfMs > believedFromMs &&
      entry.asOfMs > (changedAtMs.get(digest) ?? Number.NEGATIVE_INFINITY) &&
      entry.asOfMs <= nowMs + AHEAD_MS_MAX &&
      nowMs < entry.asOfMs + ENTRY_MS_MAX &&
      nowMs < entry.verdict.validUntilMs
    );
  }

  return {
    async find(digest, policyHash) {
      const key = entryKey(digest, policyHash);
      before.delete(key);
      if (owed.has(digest)) await endGeneration(digest);
      if (owed.has(digest)) return undefined;
      const asOfMs = clock.nowMs();
      const [value, known] = (await read(digest, key)) ?? [];
      if (known === undefined) return undefined;
      const entry = value ? parseEntry(seal.open(key, value)) : undefined;
      if (entry && isBelieved(entry, digest, known)) return entry.verdict;
      const generation = known === '' ? await beginGeneration(digest) : known;
      if (generation !== undefined) before.set(key, { asOfMs, generation });
      return undefined;
    },
    async keep(digest, policyHash, verdict) {
      const key = entryKey(digest, policyHash);
      const base = before.get(key);
      before.delete(key);
      const lifetimeMs = Math.min(ENTRY_MS_MAX, verdict.validUntilMs - clock.nowMs());
      if (!base || lifetimeMs <= 0) return;
      const value = seal.seal(key, JSON.stringify({ ...base, verdict } satisfies Entry));
      if (value.length > VALUE_LENGTH_MAX) return;
      await redis.ask((client) => client.set(key, value, 'PX', lifetimeMs));
    },
    async drop(digest) {
      changedAtMs.set(digest, clock.nowMs());
      await endGeneration(digest);
    },
    distrust() {
      believedFromMs = clock.nowMs();
    },
  };
}

/** The braces put everything about a digest on one node of a Redis Cluster. */
function entryKey(digest: Digest, policyHash: string): string {
  return `v1:{${digest}}:${policyHash}`;
}

function generationKey(digest: Digest): string {
  return `v1:{${digest}}:generation`;
}

type Replies = readonly (readonly [error: Error | null, reply: unknown])[] | null;

/** @throws the first error among the replies. */
function textsOf(replies: Replies): readonly string[] {
  return (replies ?? []).map(([error, reply]) => {
    if (error) throw error;
    return String(reply);
  });
}

/** What was sealed by us has the shape that we gave it. */
function parseEntry(text: string | undefined): Entry | undefined {
  return text === undefined ? undefined : JSON.parse(text);
}
