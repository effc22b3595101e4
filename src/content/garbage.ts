import type { Digest } from '../oci/index.ts';
import type { Content } from './content.ts';
import type { LinkWrites } from './ports.ts';

const BATCH = 500;

/**
 * Removes content that no repository links, while the registry serves.
 *
 * What is younger than `beforeMs` stays: between the moment a file is published and the moment its link is committed
 * nothing owns it. Whoever is about to link a file renews it first, so that it stays even when `unowned`, which sees
 * the links as they are in one transaction, was asked before (threat F-53).
 *
 * @param options.beforeMs at least an hour ago: content that is renewed may be up to 15 minutes old already.
 * @returns what was removed, or with `isDryRun` would be.
 */
export async function collectGarbage(
  options: { readonly beforeMs: number; readonly isDryRun: boolean },
  parts: { readonly content: Content; readonly linkWrites: Pick<LinkWrites, 'unowned'> },
): Promise<{ readonly count: number; readonly bytes: number }> {
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
  for await (const { digest, size, modifiedAtMs } of parts.content.list()) {
    if (modifiedAtMs >= options.beforeMs) continue;
    batch.set(digest, size);
    if (batch.size >= BATCH) await sweep();
  }
  await sweep();
  return { count, bytes };
}
