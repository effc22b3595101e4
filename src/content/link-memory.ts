import { LRUCache } from 'lru-cache';
import { type Changes, type Clock, MINUTE_MS, MiB } from '../base/index.ts';
import type { Digest, Repository, Tag } from '../oci/index.ts';
import type { LinkReads } from './ports.ts';

export interface LinkMemoryOptions {
  /** Bytes of what is kept, about. */
  readonly bytesMax?: number;
  /**
   * Whether a change of a tag is heard of here before whoever made it is answered. Where it is not (replicas hear of each
   * other a moment later), tags are read each time, so that a pull after a push gets what was pushed.
   */
  readonly keepsTags: boolean;
}

export interface LinkMemory {
  readonly links: LinkReads;
  close(): void;
}

interface Kept<Value> {
  readonly value: Value;
  /** Monotonic, from before it was read. */
  readonly readAtMs: number;
  readonly era: Era;
}

/** The time between two changes of a repository; each one is an object of its own. */
interface Era {
  readonly repository: Repository;
}

const BYTES_MAX = 16 * MiB;
const REPOSITORIES_MAX = 10_000;
/** No channel is trusted for longer than this: a change that went astray cannot matter for ever. */
const KEPT_MS_MAX = MINUTE_MS;
/** What an entry takes beside its texts. */
const ENTRY_BYTES = 300;
const SHELVES = 4;

/**
 * Answers what each pull asks of a repository (what a tag is, which manifest, which blob, by whom it is named) from memory,
 * until the repository changes. Only what is there is kept: absence is asked for anew each time, since whoever has
 * just pushed must find it.
 */
export function createLinkMemory(
  options: LinkMemoryOptions,
  { links, changes, clock }: { readonly links: LinkReads; readonly changes: Changes; readonly clock: Clock },
): LinkMemory {
  const eras = new LRUCache<Repository, Era>({ max: REPOSITORIES_MAX });
  const bytesMax = Math.floor((options.bytesMax ?? BYTES_MAX) / SHELVES);
  const endings = [
    changes.onChange(({ topic, key }) => {
      if (topic !== 'links') return;
      if (key === undefined) eras.clear();
      else eras.delete(key as Repository);
    }),
    changes.onLost(() => eras.clear()),
  ];

  function eraOf(repository: Repository): Era {
    const known = eras.get(repository);
    if (known) return known;
    const era = { repository };
    eras.set(repository, era);
    return era;
  }

  function remembering<Key extends string, Value extends {}>(
    read: (repository: Repository, key: Key) => Promise<Value | undefined>,
    isKept: (value: Value) => boolean = () => true,
  ): (repository: Repository, key: Key) => Promise<Value | undefined> {
    const shelf = new LRUCache<string, Kept<Value>>({
      maxSize: bytesMax,
      maxEntrySize: bytesMax,
      sizeCalculation: ({ value }, place) => ENTRY_BYTES + 2 * (place.length + JSON.stringify(value).length),
    });
    return async (repository, key) => {
      const era = eraOf(repository);
      const place = `${repository} ${key}`;
      const known = shelf.get(place);
      const lifeMs = Math.min(KEPT_MS_MAX, changes.lifetimeMsMax());
      if (known?.era === era && clock.monotonicMs() - known.readAtMs < lifeMs) return known.value;
      const readAtMs = clock.monotonicMs();
      const value = await read(repository, key);
      // What a change has overtaken belongs to an era that is over, so that nobody will find it.
      if (value === undefined || !isKept(value)) shelf.delete(place);
      else shelf.set(place, { value, readAtMs, era });
      return value;
    };
  }

  const naming = remembering<Digest, readonly Digest[]>(links.manifestsNaming, (found) => found.length > 0);
  return {
    links: {
      ...links,
      ...(options.keepsTags ? { findTag: remembering<Tag, Digest>(links.findTag) } : {}),
      findManifest: remembering(links.findManifest),
      findBlob: remembering(links.findBlob),
      manifestsNaming: async (repository, blob) => (await naming(repository, blob)) ?? [],
    },
    close: () => endings.forEach((end) => void end()),
  };
}
