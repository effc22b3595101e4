import { takeManifest } from '../content/index.ts';
import { type Digest, MANIFEST_BYTES_MAX, type Manifest, type Repository, type Tag } from '../oci/index.ts';
import type { GatewayParts } from './parts.ts';

export interface LoadedManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export type LoadResult =
  | { readonly kind: 'loaded'; readonly manifest: LoadedManifest }
  | { readonly kind: 'absent' }
  /** The registry holds something under the digest that we cannot judge. */
  | { readonly kind: 'unreadable'; readonly problem: string };

export type LoadParts = Pick<
  GatewayParts,
  'content' | 'links' | 'linkWrites' | 'facts' | 'sources' | 'clock'
>;

/**
 * Finds the manifest of this repository: in the content store, else at its registry, from where it is kept and its
 * links are committed before a byte of it leaves, so that its blobs can be judged by it.
 *
 * @throws {Fault} the registry, the store or the disk is away.
 */
export async function loadManifest(
  parts: LoadParts,
  repository: Repository,
  digest: Digest,
): Promise<LoadResult> {
  const known = await parts.links.findManifest(repository, digest);
  if (known) {
    const bytes = await parts.content.read(digest, MANIFEST_BYTES_MAX);
    if (bytes) return { kind: 'loaded', manifest: { mediaType: known.mediaType, bytes } };
  }
  const located = parts.sources.locate(repository);
  const found = await located?.source.readManifest(located.name, digest);
  if (!found) return { kind: 'absent' };
  const parsed = takeManifest(found.bytes, found.mediaType);
  if (!parsed.ok) return { kind: 'unreadable', problem: parsed.problem };
  await keepManifest(parts, { repository, digest, bytes: found.bytes, manifest: parsed.manifest });
  return { kind: 'loaded', manifest: found };
}

/** Keeps a manifest that a registry behind us holds: bytes first, then its links, then when it was seen. */
export async function keepManifest(
  parts: LoadParts,
  kept: {
    readonly repository: Repository;
    readonly digest: Digest;
    readonly bytes: Uint8Array;
    readonly manifest: Manifest;
    /** Tags that were set to it, where those are remembered. */
    readonly tags?: readonly Tag[];
  },
): Promise<void> {
  const nowMs = parts.clock.nowMs();
  await parts.content.put(kept.digest, kept.bytes);
  await parts.linkWrites.linkManifest({
    repository: kept.repository,
    digest: kept.digest,
    size: kept.bytes.length,
    manifest: kept.manifest,
    tags: kept.tags ?? [],
    // The registry behind us has set them, by the rights that were asked for before.
    tagRights: { mayCreate: true, mayOverwrite: true },
    requireContent: false,
    nowMs,
  });
  await linkHeldElsewhere(parts, kept.repository, kept.manifest);
  await parts.facts.seeDigest(kept.digest, kept.manifest.kind, nowMs);
}

/**
 * A layer that says that it lies elsewhere is linked only where this repository of the registry holds it: its bytes
 * could be in the content store for another repository, and this one would give what it does not hold (threats V-18,
 * N-13).
 */
async function linkHeldElsewhere(
  parts: LoadParts,
  repository: Repository,
  manifest: Manifest,
): Promise<void> {
  const located = parts.sources.locate(repository);
  for (const { digest, urls } of manifest.layers) {
    if (urls.length === 0) continue;
    const found = await located?.source.findBlob(located.name, digest);
    if (found) await parts.linkWrites.linkBlob({ repository, digest, size: found.size, owner: 'cached' });
  }
}
