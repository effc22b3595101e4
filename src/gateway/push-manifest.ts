import { digestOf, type TagRights, takeManifest } from '../content/index.ts';
import {
  algorithmOf,
  type Digest,
  isRefusal,
  MANIFEST_BYTES_MAX,
  type Manifest,
  mediaTypeOf,
  printReference,
  type Refusal,
  type Repository,
  refuse,
  type Tag,
} from '../oci/index.ts';
import type { RepositoryAction } from '../roles/index.ts';
import { checkAccess } from './access.ts';
import type { Answer } from './answer.ts';
import { readBody } from './body.ts';
import { type CallOf, header } from './call.ts';
import { keepManifest } from './load.ts';
import type { GatewayOptions, GatewayParts } from './parts.ts';
import { allow, type DecisionFacts, deny, type Plan } from './plan.ts';
import { askPolicies } from './push-policy.ts';
import { remembersTags } from './resolve.ts';
import { type Located, readOnlyRefusal } from './sources.ts';

interface Pushed {
  readonly repository: Repository;
  readonly located: Located;
  readonly digest: Digest;
  readonly tags: readonly Tag[];
  readonly tagRights: TagRights;
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly manifest: Manifest;
}

/**
 * PUT of a manifest, by tag or by digest with `?tag=`. What no policy refuses for its shape or its tags is stored and
 * scanned; whether it may be pulled is decided at each pull.
 *
 * @see OCI distribution-spec 1.1, end-7.
 */
export async function planManifestPush(
  call: CallOf<'manifest'>,
  parts: GatewayParts,
  options: GatewayOptions,
): Promise<Plan> {
  const { repository, reference } = call.route;
  const asked: DecisionFacts = { action: 'push', repository, reference: printReference(reference) };
  const tags = reference.kind === 'tag' ? [reference.tag] : call.route.tags;
  const access = { service: options.service, scopeActions: 'pull,push' };
  const checked = await checkAccess(parts.directory, call, repository, ['push'], access);
  const facts: DecisionFacts = {
    ...asked,
    ...(reference.kind === 'digest' && tags.length > 0 ? { note: `tags ${tags.join(', ')}` } : {}),
    ...(checked.because ? { because: checked.because } : {}),
  };
  if (checked.refusal) return deny({ ...facts, reason: checked.reason ?? 'refused' }, checked.refusal);

  const located = parts.sources.locate(repository);
  if (!located) return deny({ ...facts, reason: 'name.unknown' }, noRegistry(repository));
  if (located.isReadOnly) {
    return deny({ ...facts, reason: 'upstream.read-only' }, readOnlyRefusal(repository));
  }
  const read = await readManifest(call);
  if (isRefusal(read)) return deny({ ...facts, reason: 'manifest.invalid' }, read);
  const digest = digestOf(read.bytes, reference.kind === 'digest' ? algorithmOf(reference.digest) : 'sha256');
  if (reference.kind === 'digest' && reference.digest !== digest) {
    const message = `dockgate: the manifest's digest is ${digest}, not the one in the URL`;
    return deny({ ...facts, digest, reason: 'digest.invalid' }, refuse('DIGEST_INVALID', message));
  }
  const existing = await existingTags(located, tags);
  const needed = neededActions(tags, existing, read.manifest);
  const more = await checkAccess(parts.directory, call, repository, needed, access);
  if (more.refusal) return deny({ ...facts, digest, reason: more.reason ?? 'refused' }, more.refusal);
  const overwrites = tags.filter((tag) => (existing.get(tag) ?? digest) !== digest);
  const policy = await askPolicies(call, parts, { digest, tags, overwrites, ...read });
  if (policy.refused) return deny({ ...facts, digest, ...policy.refused.facts }, policy.refused.refusal);
  const tagRights = { ...(await findTagRights(call, parts, repository)), immutable: policy.immutable };
  const pushed = { repository, located, digest, tags, tagRights, ...read };
  return allow({ ...facts, digest }, 201, () => push(call, parts, pushed));
}

async function readManifest(
  call: CallOf<'manifest'>,
): Promise<Pick<Pushed, 'bytes' | 'mediaType' | 'manifest'> | Refusal> {
  call.welcomeBody();
  const bytes = await readBody(call.request, MANIFEST_BYTES_MAX);
  if (!bytes) {
    const message = `dockgate: a manifest may have at most ${MANIFEST_BYTES_MAX} bytes`;
    return refuse('SIZE_INVALID', message, { status: 413 });
  }
  const parsed = takeManifest(bytes, mediaTypeOf(header(call, 'content-type')));
  if (!parsed.ok) return refuse('MANIFEST_INVALID', `dockgate: ${parsed.problem}`);
  return { bytes, mediaType: parsed.manifest.mediaType, manifest: parsed.manifest };
}

/** The tags that are there already, and what each names. */
async function existingTags(located: Located, tags: readonly Tag[]): Promise<ReadonlyMap<Tag, Digest>> {
  const existing = new Map<Tag, Digest>();
  for (const tag of tags) {
    const found = await located.source.resolve(located.name, tag);
    if (found !== undefined) existing.set(tag, found);
  }
  return existing;
}

/** Setting a tag that exists is another right than making one, and so is attaching something to another image. */
function neededActions(
  tags: readonly Tag[],
  existing: ReadonlyMap<Tag, Digest>,
  manifest: Manifest,
): readonly RepositoryAction[] {
  const needed = new Set<RepositoryAction>(
    tags.map((tag) => (existing.has(tag) ? 'tag.overwrite' : 'tag.create')),
  );
  if (manifest.subject) needed.add('referrers.push');
  return [...needed];
}

/** Both, for whoever sets the tags: which of the two is needed is only certain then. */
async function findTagRights(
  call: CallOf<'manifest'>,
  { directory }: Pick<GatewayParts, 'directory'>,
  repository: Repository,
): Promise<Omit<TagRights, 'immutable'>> {
  const may = async (action: 'tag.create' | 'tag.overwrite') =>
    (await directory.can(call.identity, action, repository)).isAllowed;
  return { mayCreate: await may('tag.create'), mayOverwrite: await may('tag.overwrite') };
}

async function push(
  call: CallOf<'manifest'>,
  parts: GatewayParts,
  pushed: Pushed,
): Promise<Answer | Refusal> {
  const { repository, located, digest, tags, tagRights, bytes, mediaType, manifest } = pushed;
  const remembered = remembersTags(located) ? tags : [];
  // From here until it is known how the push ended, an exclusive registry is asked what its tags are.
  const forget = () => forgetTags(parts, repository, located.isExclusive ? remembered : []);
  await forget();
  const pushing = located.source.pushManifest({
    repository: located.name,
    digest,
    tags,
    tagRights,
    mediaType,
    bytes,
    manifest,
    pushedBy: call.identity.principal.id,
  });
  const refusal = await pushing.catch(async (error: unknown) => {
    // It may have been done all the same.
    await forget();
    throw error;
  });
  if (refusal) {
    await forget();
    return refusal;
  }
  if (located.source.kind === 'upstream')
    await keepManifest(parts, { repository, digest, bytes, manifest, tags: remembered });
  else await parts.facts.seeDigest(digest, manifest.kind, parts.clock.nowMs());
  await parts.scans.request(repository, digest, 'push');
  return {
    status: 201,
    headers: {
      location: `${call.baseUrl}/v2/${repository}/manifests/${digest}`,
      'docker-content-digest': digest,
      'content-length': '0',
      ...(manifest.subject ? { 'oci-subject': manifest.subject.digest } : {}),
      ...(call.route.reference.kind === 'digest' && tags.length > 0 ? { 'oci-tag': tags.join(', ') } : {}),
    },
  };
}

async function forgetTags(
  { links, linkWrites }: Pick<GatewayParts, 'links' | 'linkWrites'>,
  repository: Repository,
  tags: readonly Tag[],
): Promise<void> {
  for (const tag of tags) {
    if ((await links.findTag(repository, tag)) !== undefined) await linkWrites.removeTag(repository, tag);
  }
}

export function noRegistry(repository: Repository): Refusal {
  return refuse('NAME_UNKNOWN', `dockgate: no registry is configured for ${repository}`);
}
