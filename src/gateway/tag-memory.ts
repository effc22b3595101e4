import { LRUCache } from 'lru-cache';
import type { Changes, Clock } from '../base/index.ts';
import type { Digest, Repository, Tag } from '../oci/index.ts';
import type { TagMemory } from './parts.ts';

const REPOSITORIES_MAX = 5000;
const TAGS_MAX = 2000;

interface Answer {
  readonly digest: Digest;
  /** When it was asked for, monotonic: what it says was true then, not when it arrived. */
  readonly atMs: number;
}

/** What is known of the tags of a repository; dropped as a whole, with the questions that are under way. */
interface Known {
  readonly answers: LRUCache<Tag, Answer>;
  readonly flights: Map<Tag, Promise<Digest | undefined>>;
}

/**
 * Remembers for moments what a registry behind us said of a tag. A change of the repository through dockgate drops it in
 * every worker before whoever made the change hears of its success; a question asked before that answers nobody who
 * comes after. Absence is not remembered.
 */
export function createTagMemory({
  changes,
  clock,
}: {
  readonly changes: Changes;
  readonly clock: Clock;
}): TagMemory {
  const repositories = new LRUCache<string, Known>({ max: REPOSITORIES_MAX });
  const endings = [
    changes.onChange(({ topic, key }) => {
      if (topic !== 'links') return;
      if (key === undefined) repositories.clear();
      else repositories.delete(key);
    }),
    changes.onLost(() => repositories.clear()),
  ];

  function knownOf(repository: Repository): Known {
    const found = repositories.get(repository);
    if (found) return found;
    // By size, not by count: for a count the cache would take the room of all its places at once, in each repository.
    const answers = new LRUCache<Tag, Answer>({ maxSize: TAGS_MAX, sizeCalculation: () => 1 });
    const known: Known = { answers, flights: new Map() };
    repositories.set(repository, known);
    return known;
  }

  async function ask(known: Known, tag: Tag, question: () => Promise<Digest | undefined>) {
    const atMs = clock.monotonicMs();
    const digest = await question();
    if (digest === undefined) known.answers.delete(tag);
    else known.answers.set(tag, { digest, atMs });
    return digest;
  }

  return {
    async resolve({ repository, tag, freshMs }, question) {
      const lifeMs = Math.min(freshMs, changes.lifetimeMsMax());
      if (lifeMs <= 0) return question();
      const known = knownOf(repository);
      const answer = known.answers.get(tag);
      if (answer && clock.monotonicMs() - answer.atMs < lifeMs) return answer.digest;
      const running = known.flights.get(tag);
      if (running) return running;
      const flight = ask(known, tag, question).finally(() => known.flights.delete(tag));
      known.flights.set(tag, flight);
      return flight;
    },
    close: () => endings.forEach((end) => void end()),
  };
}
