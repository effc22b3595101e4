import { takeManifest } from '../content/index.ts';
import { type Digest, Fault, type Reference, type Repository, type Tag } from '../oci/index.ts';
import type { LoadedManifest, LoadParts } from './load.ts';
import type { GatewayParts } from './parts.ts';
import type { Located } from './sources.ts';

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
  parts: LoadParts & Pick<GatewayParts, 'tags'>,
  repository: Repository,
  reference: Reference,
): Promise<Resolved | undefined> {
  if (reference.kind === 'digest') return { digest: reference.digest, isStale: false };
  const located = parts.sources.locate(repository);
  const { tag } = reference;
  // Every change of such a tag came through here, and what SQL says is what it is.
  const known = located?.isExclusive ? await parts.links.findTag(repository, tag) : undefined;
  if (known !== undefined) return { digest: known, isStale: false };
  try {
    const digest = await ask(parts, located, repository, tag);
    if (digest !== undefined) return { digest, isStale: false };
    await forgetTag(parts, located, repository, tag);
    return undefined;
  } catch (error) {
    if (!located?.servesStaleTags || !isAway(error)) throw error;
    const digest = await parts.links.findTag(repository, tag);
    if (digest === undefined) throw error;
    return { digest, isStale: true };
  }
}

async function ask(
  parts: Pick<GatewayParts, 'tags'>,
  located: Located | undefined,
  repository: Repository,
  tag: Tag,
): Promise<Digest | undefined> {
  if (!located) return undefined;
  const question = () => located.source.resolve(located.name, tag);
  // What is asked of an exclusive one is remembered for good: that answer must not be an old one.
  if (located.source.kind === 'origin' || located.isExclusive) return question();
  return parts.tags.resolve({ repository, tag, freshMs: located.tagFreshMs }, question);
}

/** A tag that its registry does not know any more is nothing that could be served while that is away. */
async function forgetTag(
  parts: LoadParts,
  located: Located | undefined,
  repository: Repository,
  tag: Tag,
): Promise<void> {
  if (!located?.servesStaleTags || located.source.kind === 'origin') return;
  if ((await parts.links.findTag(repository, tag)) !== undefined) {
    await parts.linkWrites.removeTag(repository, tag);
  }
}

/** No answer, or a request for patience; what answers wrongly or does not let us in is not away. */
function isAway(error: unknown): boolean {
  return error instanceof Fault && error.code === 'DG_UPSTREAM_UNAVAILABLE';
}

/** Whether SQL holds the tags of this registry behind us: to know them, or to serve them while it is away. */
export function remembersTags(located: Located | undefined): boolean {
  return located?.source.kind === 'upstream' && (located.servesStaleTags || located.isExclusive);
}

/** Keeps what a tag of a registry behind us is, where it is to be known or served while that is away. */
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
  const located = parts.sources.locate(repository);
  if (reference.kind !== 'tag' || !remembersTags(located)) return;
  if ((await parts.links.findTag(repository, reference.tag)) === digest) return;
  const { tag } = reference;
  const parsed = takeManifest(seen.manifest.bytes, seen.manifest.mediaType);
  if (!parsed.ok) return;
  await parts.linkWrites.linkManifest({
    repository,
    digest,
    size: seen.manifest.bytes.length,
    manifest: parsed.manifest,
    tags: [tag],
    // The registry behind us has set it; nobody asks for a right here. A push that came between is newer.
    tagRights: { mayCreate: true, mayOverwrite: located?.isExclusive !== true },
    requireContent: false,
    nowMs: parts.clock.nowMs(),
  });
  if (located?.isExclusive) await checkAgain(parts, located, { repository, tag, digest });
}

/**
 * What is remembered of an exclusive registry is never asked again, so a push or delete must not have come between the
 * question and the memory. One that has ended shows at the registry now; one that has not will correct the memory itself.
 */
async function checkAgain(
  parts: LoadParts,
  located: Located,
  {
    repository,
    tag,
    digest,
  }: { readonly repository: Repository; readonly tag: Tag; readonly digest: Digest },
): Promise<void> {
  let current: Digest | undefined;
  try {
    current = await located.source.resolve(located.name, tag);
  } catch (error) {
    // Not certain is not remembered; the answer that is under way was right when it was asked for.
    if (!(error instanceof Fault)) throw error;
  }
  if (current !== digest) await parts.linkWrites.removeTag(repository, tag);
}
