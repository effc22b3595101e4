import { LRUCache } from 'lru-cache';
import { type Changes, type Clock, createSingleFlight } from '../base/index.ts';

/** What a load found, and whether and until when it may be kept. */
export interface Loaded<Value> {
  readonly value: Value;
  /** Wall-clock milliseconds; absent: time alone never makes it wrong. */
  readonly validUntilMs?: number;
  /** `false`: for this caller only. */
  readonly isKept?: boolean;
}

/**
 * Values that hold until somebody says otherwise. Nothing that was read before a change is ever given to who asks
 * after it, whether it was kept or is still being read.
 */
export interface LiveCache<Value> {
  /** The kept value, or that of one shared load. */
  get(key: string, load: () => Promise<Loaded<Value>>): Promise<Value>;
  /** Drops the entries whose keys begin with `prefix`. */
  drop(prefix: string): void;
  clear(): void;
}

interface Entry<Value> {
  readonly value: Value;
  readonly readAtMs: number;
  readonly validUntilMs: number;
}

export function createLiveCache<Value>(
  { entriesMax }: { readonly entriesMax: number },
  { changes, clock }: { readonly changes: Changes; readonly clock: Clock },
): LiveCache<Value> {
  const entries = new LRUCache<string, Entry<Value>>({ max: entriesMax });
  const share = createSingleFlight<Value>();
  // Counts drops. A load that one of them overtook is neither kept nor shared with later callers.
  let generation = 0;

  function find(key: string): Entry<Value> | undefined {
    const entry = entries.get(key);
    if (!entry) return undefined;
    const isYoung = clock.monotonicMs() - entry.readAtMs < changes.lifetimeMsMax();
    if (isYoung && clock.nowMs() < entry.validUntilMs) return entry;
    entries.delete(key);
    return undefined;
  }

  async function read(key: string, load: () => Promise<Loaded<Value>>): Promise<Value> {
    const startedIn = generation;
    // The age counts from before the reading: what is read may have changed right after.
    const readAtMs = clock.monotonicMs();
    const { value, validUntilMs = Number.POSITIVE_INFINITY, isKept = true } = await load();
    if (isKept && startedIn === generation) entries.set(key, { value, readAtMs, validUntilMs });
    return value;
  }

  return {
    get: (key, load) => {
      const known = find(key);
      return known ? Promise.resolve(known.value) : share(`${generation} ${key}`, () => read(key, load));
    },
    drop(prefix) {
      generation++;
      for (const key of entries.keys()) if (key.startsWith(prefix)) entries.delete(key);
    },
    clear() {
      generation++;
      entries.clear();
    },
  };
}
