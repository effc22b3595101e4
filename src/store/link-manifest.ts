import type { LinkResult, NewManifestLink } from '../content/index.ts';
import {
  type Descriptor,
  type Digest,
  MANIFEST_TYPES,
  type Manifest,
  type Repository,
  shapeOf,
  type Tag,
} from '../oci/index.ts';
import { toJsonText } from './json-text.ts';
import { type Quota, requireRoom } from './quotas.ts';
import { inChunks } from './rows.ts';
import type { MainSql } from './tables.ts';
import type { Changed } from './transactions.ts';

/** Something that a manifest names and that lies in the repository as a blob. */
interface NamedBlob {
  readonly descriptor: Descriptor;
  /** `elsewhere`: a layer with addresses of its own (non-distributable), which may be absent. */
  readonly place: 'config' | 'layer' | 'elsewhere' | 'child';
}

/**
 * Links a manifest, its tags and what it names, or says what is missing and changes nothing.
 *
 * @see OCI distribution-spec 1.1, "Pushing manifests": MANIFEST_BLOB_UNKNOWN.
 */
export async function linkManifest(
  sql: MainSql,
  link: NewManifestLink,
  { changed, quotas }: { readonly changed: Changed; readonly quotas: readonly Quota[] },
): Promise<LinkResult> {
  const blobs = namedBlobs(link.manifest);
  const held = await heldBlobs(sql, link.repository, blobs);
  if (link.requireContent) {
    const missing = await firstMissing(sql, link, blobs, held);
    if (missing) return { ok: false, missing };
  }
  const refused = await refusedTag(sql, link);
  if (refused) return { ok: false, ...refused };
  // What it names is linked here already, and counted.
  if (link.requireContent) await requireRoomFor(sql, quotas, link);
  await keepManifest(sql, link, blobs, changed);
  await keepLink(sql, link);
  // Named is not held: a layer that lies elsewhere may lie in another repository's content (threats V-18, N-13).
  await keepBlobLinks(
    sql,
    link,
    blobs.filter((blob) => blob.place !== 'elsewhere' || held.has(digestOf(blob))),
  );
  await noteSuperseded(sql, link, changed);
  for (const tag of link.tags) {
    const values = { digest: link.digest, set_at_ms: link.nowMs };
    await sql
      .insertInto('tags')
      .values({ repository: link.repository, tag, ...values })
      .onConflict((conflict) => conflict.columns(['repository', 'tag']).doUpdateSet(values))
      .execute();
  }
  changed('links', link.repository);
  return { ok: true };
}

/** @throws {QuotaExceeded} its own bytes are too much. */
async function requireRoomFor(
  sql: MainSql,
  quotas: readonly Quota[],
  { repository, digest, size }: NewManifestLink,
): Promise<void> {
  if (quotas.length === 0) return;
  const known = await sql
    .selectFrom('repository_manifests')
    .select('owner')
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .executeTakeFirst();
  await requireRoom(sql, quotas, { repository, askedBytes: known?.owner === 'origin' ? 0 : size });
}

/**
 * The first tag that the pusher may not set. What the caller saw before this transaction may be history: of two
 * pushes that both found no tag, the second one overwrites (threat N-16).
 */
async function refusedTag(
  sql: MainSql,
  { repository, digest, tags, tagRights }: NewManifestLink,
): Promise<{ readonly tag: Tag; readonly lacks: 'tag.create' | 'tag.overwrite' } | undefined> {
  const known = new Map<Tag, Digest>();
  for (const chunk of inChunks(tags)) {
    const rows = await sql
      .selectFrom('tags')
      .select(['tag', 'digest'])
      .where('repository', '=', repository)
      .where('tag', 'in', chunk)
      .execute();
    for (const row of rows) known.set(row.tag, row.digest);
  }
  const isKept = (tag: Tag) =>
    tagRights.immutable?.includes(tag) === true && (known.get(tag) ?? digest) !== digest;
  const isAllowed = (tag: Tag) =>
    !isKept(tag) && (known.has(tag) ? tagRights.mayOverwrite : tagRights.mayCreate);
  const refused = tags.find((tag) => !isAllowed(tag));
  if (refused === undefined) return undefined;
  return { tag: refused, lacks: known.has(refused) ? 'tag.overwrite' : 'tag.create' };
}

/** From whom a tag is taken loses it now; whether another tag still leads there is seen when somebody asks. */
async function noteSuperseded(sql: MainSql, link: NewManifestLink, changed: Changed): Promise<void> {
  const { repository, digest, tags, nowMs } = link;
  if (tags.length === 0) return;
  const losing = await sql
    .selectFrom('tags')
    .select('digest')
    .distinct()
    .where('repository', '=', repository)
    .where('tag', 'in', tags)
    .where('digest', '!=', digest)
    .execute();
  for (const { digest: old } of losing) {
    await sql
      .insertInto('superseded')
      .values({ repository, digest: old, at_ms: nowMs })
      .onConflict((conflict) => conflict.columns(['repository', 'digest']).doUpdateSet({ at_ms: nowMs }))
      .execute();
  }
  const regaining = await sql
    .selectFrom('superseded')
    .select('digest')
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .execute();
  for (const { digest: moved } of [...losing, ...regaining]) {
    changed('facts', moved);
    for (const { child } of await childrenOf(sql, moved)) changed('facts', child);
  }
}

function childrenOf(sql: MainSql, manifest: Digest) {
  return sql.selectFrom('manifest_children').select('child').where('manifest', '=', manifest).execute();
}

const digestOf = (blob: NamedBlob): Digest => blob.descriptor.digest;

/** Each once; a digest that is config and layer at the same time is a config, which must be there. */
function namedBlobs(manifest: Manifest): readonly NamedBlob[] {
  const config = manifest.config ? [manifest.config] : [];
  // An index may list what is no manifest (BuildKit's caches list layers); those are blobs.
  const children = manifest.manifests.filter((child) => !isManifest(child));
  const all: readonly NamedBlob[] = [
    ...manifest.layers.map((descriptor) => ({
      descriptor,
      place: descriptor.urls.length > 0 ? ('elsewhere' as const) : ('layer' as const),
    })),
    ...children.map((descriptor) => ({ descriptor, place: 'child' as const })),
    ...config.map((descriptor) => ({ descriptor, place: 'config' as const })),
  ];
  return [...new Map(all.map((blob) => [digestOf(blob), blob])).values()];
}

function isManifest(descriptor: Descriptor): boolean {
  return MANIFEST_TYPES.includes(descriptor.mediaType);
}

/**
 * The blobs that somebody put into the repository. One that is merely `cached` may be evicted at any moment, so a
 * manifest of the origin must not rest on it; a pusher's HEAD makes it pending.
 */
async function heldBlobs(
  sql: MainSql,
  repository: Repository,
  blobs: readonly NamedBlob[],
): Promise<ReadonlySet<Digest>> {
  const held = new Set<Digest>();
  for (const chunk of inChunks(blobs)) {
    const rows = await sql
      .selectFrom('repository_blobs')
      .select('digest')
      .where('repository', '=', repository)
      .where('owner', 'in', ['origin', 'pending'])
      .where('digest', 'in', chunk.map(digestOf))
      .execute();
    for (const row of rows) held.add(row.digest);
  }
  return held;
}

async function firstMissing(
  sql: MainSql,
  link: NewManifestLink,
  blobs: readonly NamedBlob[],
  held: ReadonlySet<Digest>,
): Promise<Digest | undefined> {
  const missing = blobs.find((blob) => blob.place !== 'elsewhere' && !held.has(digestOf(blob)));
  if (missing) return digestOf(missing);
  const children = link.manifest.manifests.filter(isManifest).map((child) => child.digest);
  const linked = new Set<Digest>();
  for (const chunk of inChunks(children)) {
    const rows = await sql
      .selectFrom('repository_manifests')
      .select('digest')
      .where('repository', '=', link.repository)
      .where('digest', 'in', chunk)
      .execute();
    for (const row of rows) linked.add(row.digest);
  }
  return children.find((digest) => !linked.has(digest));
}

/** What follows from the bytes is kept once; the same digest cannot mean something else the next time. */
async function keepManifest(
  sql: MainSql,
  { digest, manifest, size }: NewManifestLink,
  blobs: readonly NamedBlob[],
  changed: Changed,
): Promise<void> {
  const shape = shapeOf(manifest, size);
  const inserted = await sql
    .insertInto('manifests')
    .values({
      digest,
      media_type: manifest.mediaType,
      kind: manifest.kind,
      size,
      artifact_type: manifest.artifactType ?? null,
      annotations: toJsonText(manifest.annotations),
      subject: manifest.subject?.digest ?? null,
      children: toJsonText(manifest.manifests),
      content_size: shape.sizeBytes,
      layer_count: shape.layerCount,
      media_types: toJsonText(shape.mediaTypes),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (inserted.numInsertedOrUpdatedRows === 0n) return;
  for (const chunk of inChunks(blobs)) {
    await sql
      .insertInto('manifest_blobs')
      .values(chunk.map((blob) => ({ manifest: digest, blob: digestOf(blob), place: blob.place })))
      .execute();
  }
  const children = [...new Set(manifest.manifests.map((child) => child.digest))];
  for (const chunk of inChunks(children)) {
    await sql
      .insertInto('manifest_children')
      .values(chunk.map((child) => ({ child, manifest: digest })))
      .execute();
  }
  // From now on it shares what was found in the blobs that it names.
  changed('facts', digest);
}

/** Who pushed it first stays on record: pushing it again must not make it somebody else's. */
async function keepLink(sql: MainSql, link: NewManifestLink): Promise<void> {
  await sql
    .insertInto('repository_manifests')
    .values({
      repository: link.repository,
      digest: link.digest,
      owner: link.requireContent ? 'origin' : 'cached',
      subject: link.manifest.subject?.digest ?? null,
      pushed_by: link.pushedBy ?? null,
      linked_at_ms: link.nowMs,
    })
    .onConflict((conflict) =>
      conflict.columns(['repository', 'digest']).doUpdateSet((row) => ({
        // What is the origin's already stays so.
        ...(link.requireContent ? { owner: 'origin' as const } : {}),
        pushed_by: row.fn.coalesce('repository_manifests.pushed_by', 'excluded.pushed_by'),
      })),
    )
    .execute();
}

/** `origin`, or `cached` for what lies upstream; what is `origin` already stays so. */
async function keepBlobLinks(
  sql: MainSql,
  link: NewManifestLink,
  blobs: readonly NamedBlob[],
): Promise<void> {
  const owner = link.requireContent ? 'origin' : 'cached';
  for (const chunk of inChunks(blobs)) {
    await sql
      .insertInto('repository_blobs')
      .values(
        chunk.map(({ descriptor }) => ({
          repository: link.repository,
          digest: descriptor.digest,
          owner,
          size: descriptor.size,
          until_ms: null,
        })),
      )
      .onConflict((conflict) =>
        conflict
          .columns(['repository', 'digest'])
          .doUpdateSet({ owner, until_ms: null })
          .where('repository_blobs.owner', '!=', 'origin'),
      )
      .execute();
  }
}
