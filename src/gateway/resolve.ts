import { takeManifest } from '../content/index.ts';
import { type Digest, Fault, type Reference, type Repository } from '../oci/index.ts';
import type { LoadedManifest, LoadParts } from './load.ts';

interface Resolved {
  readonly digest: Digest;
  /** The registry is away; this is what the tag was when it was last pulled. */
  readonly isStale: boolean;
}

/**
 * A tag is resolved once; everything after speaks of that digest.
 *
 * @throws {Fault} the registry is away, and the operator did not choose to serve what it had.
 */
export async function resolve(
  parts: LoadParts,
  repository: Repository,
  reference: Reference,
): Promise<Resolved | undefined> {
  if (reference.kind === 'digest') return { digest: reference.digest, isStale: false };
  const located = parts.sources.locate(repository);
  try {
    const digest = await located?.source.resolve(located.name, reference.tag);
    return digest && { digest, isStale: false };
  } catch (error) {
    if (!located?.servesStaleTags || !isAway(error)) throw error;
    const digest = await parts.links.findTag(repository, reference.tag);
    if (digest === undefined) throw error;
    return { digest, isStale: true };
  }
}

/** No answer, or a request for patience; what answers wrongly or does not let us in is not away. */
function isAway(error: unknown): boolean {
  return error instanceof Fault && error.code === 'DG_UPSTREAM_UNAVAILABLE';
}

/** Keeps what a tag of a registry behind us is, where it is to be served while that is away. */
export async function rememberTag(
  parts: LoadParts,
  seen: {
    readonly repository: Repository;
    readonly reference: Reference;
    readonly digest: Digest;
    readonly manifest: LoadedManifest;
  },
): Promise<void> {
  const { repository, reference, digest } = seen;
  if (reference.kind !== 'tag' || !parts.sources.locate(repository)?.servesStaleTags) return;
  if ((await parts.links.findTag(repository, reference.tag)) === digest) return;
  const parsed = takeManifest(seen.manifest.bytes, seen.manifest.mediaType);
  if (!parsed.ok) return;
  await parts.linkWrites.linkManifest({
    repository,
    digest,
    size: seen.manifest.bytes.length,
    manifest: parsed.manifest,
    tags: [reference.tag],
    // The registry behind us has set it; nobody asks for a right here.
    tagRights: { mayCreate: true, mayOverwrite: true },
    requireContent: false,
    nowMs: parts.clock.nowMs(),
  });
}
