import { DAY_MS } from '../base/index.ts';
import type { Digest } from '../oci/index.ts';
import type { Content } from './content.ts';
import type { ListedFile } from './files.ts';
import type { LinkWrites } from './ports.ts';

const BATCH = 500;

export interface Evicted {
  readonly count: number;
  readonly bytes: number;
}

interface Parts {
  readonly content: Pick<Content, 'list' | 'remove'>;
  readonly linkWrites: Pick<LinkWrites, 'merelyCached'>;
}

/**
 * Removes cached content, while it is served, until no more than `bytesMax` of it is left: what was not used for the
 * most days goes first, and of one day's the largest. What a registry behind the gateway holds comes again when it is
 * asked for; what a repository of the embedded registry links, or a pusher relies on, is never touched.
 *
 * The content is walked twice and never held in memory: once to add up bytes by day and size, and once to remove.
 * A day is as fine as file systems tell the last use (`relatime`); where they do not tell it (`noatime`), the day on
 * which the content came counts.
 *
 * @param options.bytesMax of all content that is merely cached.
 * @param options.beforeMs `GARBAGE_AGE_MS` ago or earlier: what is younger stays, since somebody may be about to link it
 *   (see `collectGarbage`), so that the bound may be exceeded by what came within that time.
 * @throws {ContentUnavailable} the disk refused.
 */
export async function evictCached(
  options: { readonly bytesMax: number; readonly beforeMs: number },
  parts: Parts,
): Promise<Evicted> {
  const { cachedBytes, removable } = await addUp(options.beforeMs, parts);
  const excess = cachedBytes - options.bytesMax;
  return excess > 0
    ? removeOf(chooseGroups(removable, excess), { ...options, excess }, parts)
    : { count: 0, bytes: 0 };
}

/** Day of the last use and power of two of the size, in a form that sorts in the order of removal. */
function groupOf({ usedAtMs, size }: ListedFile): number {
  return Math.floor(usedAtMs / DAY_MS) * 64 + (63 - Math.floor(Math.log2(size + 1)));
}

/** The first groups that hold `bytes` together. */
function chooseGroups(bytesByGroup: ReadonlyMap<number, number>, bytes: number): ReadonlySet<number> {
  const chosen = new Set<number>();
  let sum = 0;
  for (const [group, held] of [...bytesByGroup].sort(([a], [b]) => a - b)) {
    if (sum >= bytes) break;
    chosen.add(group);
    sum += held;
  }
  return chosen;
}

async function addUp(
  beforeMs: number,
  parts: Parts,
): Promise<{ readonly cachedBytes: number; readonly removable: ReadonlyMap<number, number> }> {
  const removable = new Map<number, number>();
  let cachedBytes = 0;
  for await (const file of cachedFiles(parts, () => true)) {
    cachedBytes += file.size;
    if (file.modifiedAtMs >= beforeMs) continue;
    removable.set(groupOf(file), (removable.get(groupOf(file)) ?? 0) + file.size);
  }
  return { cachedBytes, removable };
}

async function removeOf(
  groups: ReadonlySet<number>,
  { excess, beforeMs }: { readonly excess: number; readonly beforeMs: number },
  parts: Parts,
): Promise<Evicted> {
  const last = Math.max(...groups);
  let count = 0;
  let bytes = 0;
  // Of the last group as much as is needed; of those before it everything.
  let ofLast = 0;
  const waiting: ListedFile[] = [];
  const remove = async ({ digest, size }: ListedFile): Promise<void> => {
    if (!(await parts.content.remove(digest, beforeMs))) return;
    count += 1;
    bytes += size;
  };
  const isWanted = (file: ListedFile): boolean => file.modifiedAtMs < beforeMs && groups.has(groupOf(file));
  for await (const file of cachedFiles(parts, isWanted)) {
    if (groupOf(file) !== last) await remove(file);
    else if (ofLast < excess) {
      waiting.push(file);
      ofLast += file.size;
    }
  }
  for (const file of waiting) if (bytes < excess) await remove(file);
  return { count, bytes };
}

/** The files, of those that `isWanted`, that are merely cached as the links are when their batch is asked for. */
async function* cachedFiles(
  { content, linkWrites }: Parts,
  isWanted: (file: ListedFile) => boolean,
): AsyncGenerator<ListedFile> {
  let batch = new Map<Digest, ListedFile>();
  const cached = async (): Promise<readonly ListedFile[]> => {
    const asked = batch;
    batch = new Map();
    return (await linkWrites.merelyCached([...asked.keys()])).flatMap((digest) => asked.get(digest) ?? []);
  };
  for await (const file of content.list()) {
    if (!isWanted(file)) continue;
    batch.set(file.digest, file);
    if (batch.size === BATCH) yield* await cached();
  }
  yield* await cached();
}
