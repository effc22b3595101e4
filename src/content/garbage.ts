import { HOUR_MS } from '../base/index.ts';
import type { Digest } from '../oci/index.ts';
import type { Content } from './content.ts';
import type { LinkWrites } from './ports.ts';

const BATCH = 500;

/**
 * Content younger than this (milliseconds) may belong to a push whose link is not committed yet: content that is
 * renewed may be up to 15 minutes old already.
 */
export const GARBAGE_AGE_MS = HOUR_MS;

export interface Collected {
  readonly count: number;
  readonly bytes: number;
  /** Where to go on; absent: all was looked at. */
  readonly next?: Digest;
}

/**
 * Removes content that no repository links, while the registry serves.
 *
 * What is younger than `beforeMs` stays: between the moment a file is published and the moment its link is committed
 * nothing owns it. Whoever is about to link a file renews it first, so that it stays even when `unowned`, which sees
 * the links as they are in one transaction, was asked before (threat F-53).
 *
 * @param options.beforeMs `GARBAGE_AGE_MS` ago or earlier.
 * @param options.after begins behind this digest, in byte order.
 * @param options.isOver asked between batches: whether the rest is left to the next call.
 * @returns what was removed, or with `isDryRun` would be.
 */
export async function collectGarbage(
  options: {
    readonly beforeMs: number;
    readonly isDryRun: boolean;
    readonly after?: Digest;
    readonly isOver?: () => boolean;
  },
  parts: { readonly content: Content; readonly linkWrites: Pick<LinkWrites, 'unowned'> },
): Promise<Collected> {
  let count = 0;
  let bytes = 0;
  const batch = new Map<Digest, number>();
  const sweep = async (): Promise<void> => {
    for (const digest of await parts.linkWrites.unowned([...batch.keys()])) {
      const isRemoved = options.isDryRun || (await parts.content.remove(digest, options.beforeMs));
      if (!isRemoved) continue;
      count += 1;
      bytes += batch.get(digest) ?? 0;
    }
    batch.clear();
  };
  for await (const { digest, size, modifiedAtMs } of parts.content.list(options.after)) {
    if (modifiedAtMs >= options.beforeMs) continue;
    batch.set(digest, size);
    if (batch.size < BATCH) continue;
    await sweep();
    if (options.isOver?.()) return { count, bytes, next: digest };
  }
  await sweep();
  return { count, bytes };
}
