import { LRUCache } from 'lru-cache';
import { type Clock, GiB, type Logger, MINUTE_MS } from '../base/index.ts';
import { type Content, takeManifest } from '../content/index.ts';
import type { Descriptor, Digest, Repository } from '../oci/index.ts';
import type { LoadedManifest } from './load.ts';
import type { Prefetch } from './parts.ts';
import type { Located, Sources } from './sources.ts';

export interface PrefetchOptions {
  /** Bytes that may be under way or wait at once; 0: nothing is fetched before it is asked for. */
  readonly bytesMax: number;
}

export interface PrefetchParts {
  readonly content: Pick<Content, 'find' | 'fill'>;
  readonly sources: Pick<Sources, 'locate'>;
  /** Room on the disk of the content store, in bytes. */
  readonly freeBytes: () => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Wanted {
  readonly located: Located;
  readonly digest: Digest;
  readonly size: number;
}

/** More would take the line from those whom somebody waits for. */
const FILLS_MAX = 4;
const WAITING_MAX = 1000;
/** What was begun a moment ago is not looked at again. */
const RECENT_MS = MINUTE_MS;
const RECENT_MAX = 2000;
/** A disk with less room is left to what somebody waits for. */
const FREE_BYTES_MIN = 1 * GiB;

/**
 * Layers of an image that its client was just given the manifest of: it asks for them next, and they are on their way
 * already. They come through the fill that every caller shares, so that the registry is asked once for each.
 */
export function createPrefetch(options: PrefetchOptions, parts: PrefetchParts): Prefetch {
  const recent = new LRUCache<string, number>({ max: RECENT_MAX });
  const waiting: Wanted[] = [];
  let bytes = 0;
  let running = 0;
  let isClosed = false;

  function isRecent(repository: Repository, digest: Digest): boolean {
    const key = `${repository}@${digest}`;
    const nowMs = parts.clock.monotonicMs();
    const beganMs = recent.get(key);
    if (beganMs !== undefined && nowMs - beganMs < RECENT_MS) return true;
    recent.set(key, nowMs);
    return false;
  }

  function add(wanted: Wanted): void {
    if (bytes + wanted.size > options.bytesMax || waiting.length >= WAITING_MAX) return;
    bytes += wanted.size;
    waiting.push(wanted);
  }

  function goOn(): void {
    while (!isClosed && running < FILLS_MAX) {
      const wanted = waiting.shift();
      if (!wanted) return;
      running += 1;
      fetch(wanted)
        .catch((error: unknown) => {
          // Who asks for it hears why.
          parts.logger.debug('not fetched beforehand', { digest: wanted.digest, reason: String(error) });
        })
        .finally(() => {
          running -= 1;
          bytes -= wanted.size;
          goOn();
        });
    }
  }

  async function fetch({ located, digest, size }: Wanted): Promise<void> {
    if (await parts.content.find(digest)) return;
    if ((await parts.freeBytes()) < size + FREE_BYTES_MIN) return;
    const fill = await parts.content.fill(digest, size, async () => {
      const opened = await located.source.openBlob(located.name, digest);
      if (!opened) throw new Error('its registry does not have it');
      return opened.stream;
    });
    await fill.done;
  }

  return {
    begin(repository, digest, manifest) {
      if (isClosed || options.bytesMax === 0 || isRecent(repository, digest)) return;
      const located = parts.sources.locate(repository);
      if (located?.source.kind !== 'upstream') return;
      for (const { digest: blob, size } of blobsOf(manifest)) add({ located, digest: blob, size });
      goOn();
    },
    close() {
      isClosed = true;
      waiting.length = 0;
    },
  };
}

/** What a client of this image asks for next, each once; of an index nobody knows which image it will be. */
function blobsOf({ bytes, mediaType }: LoadedManifest): readonly Descriptor[] {
  const parsed = takeManifest(bytes, mediaType);
  if (!parsed.ok) return [];
  const { config, layers } = parsed.manifest;
  // What says that it lies elsewhere is asked for there.
  const all = [...(config ? [config] : []), ...layers].filter(({ urls }) => urls.length === 0);
  return [...new Map(all.map((one) => [one.digest, one])).values()];
}
