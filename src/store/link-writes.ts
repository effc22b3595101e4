import type { LinkWrites } from '../content/index.ts';
import type { Digest, Repository } from '../oci/index.ts';
import { linkManifest } from './link-manifest.ts';
import { type Quota, requireRoom } from './quotas.ts';
import { inChunks } from './rows.ts';
import { documentsInUse } from './sboms.ts';
import type { MainSql, MainTables } from './tables.ts';
import type { Changed, Write } from './transactions.ts';

export function createLinkWrites(write: Write<MainTables>, quotas: readonly Quota[]): LinkWrites {
  /**
   * A change of one repository that may find nothing to do here; it is told all the same, since processes remember what a
   * registry behind us said of tags that SQL does not hold.
   */
  const removal = (repository: Repository, remove: (sql: MainSql) => Promise<boolean>) =>
    write(async (sql, changed) => {
      changed('links', repository);
      return remove(sql);
    });
  return {
    linkManifest: (link) => write((sql, changed) => linkManifest(sql, link, { changed, quotas })),
    linkBlob: (link) => write((sql, changed) => linkBlob(sql, link, { changed, quotas })),
    removeTag: (repository, tag) =>
      removal(repository, async (sql) => {
        const removed = await sql
          .deleteFrom('tags')
          .where('repository', '=', repository)
          .where('tag', '=', tag)
          .executeTakeFirst();
        return removed.numDeletedRows > 0n;
      }),
    removeManifest: (repository, digest) =>
      removal(repository, (sql) => removeManifest(sql, repository, digest)),
    removeBlob: (repository, digest) =>
      removal(repository, async (sql) => {
        const removed = await sql
          .deleteFrom('repository_blobs')
          .where('repository', '=', repository)
          .where('digest', '=', digest)
          .executeTakeFirst();
        return removed.numDeletedRows > 0n;
      }),
    sweepPending: (nowMs) => write((sql, changed) => sweepPending(sql, nowMs, changed)),
    // In the writer's turn, so that what a write before this one links is seen.
    unowned: (digests) => write((sql) => unowned(sql, digests)),
    merelyCached: (digests) => write((sql) => merelyCached(sql, digests)),
  };
}

type BlobLink = Parameters<LinkWrites['linkBlob']>[0];

/**
 * `origin` stays, whatever comes; `pending` replaces `cached` (somebody relies on it now) and is only ever
 * prolonged. What an origin manifest of the repository names already (its blob was deleted meanwhile) is `origin`
 * at once.
 */
async function linkBlob(
  sql: MainSql,
  link: BlobLink,
  { changed, quotas }: { readonly changed: Changed; readonly quotas: readonly Quota[] },
): Promise<void> {
  const { repository, digest } = link;
  const known = await sql
    .selectFrom('repository_blobs')
    .select(['owner', 'size', 'until_ms'])
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .executeTakeFirst();
  if (known?.owner === 'origin') return;
  if (known && link.owner === 'cached') return;
  const isNamed = await isNamedBy(sql, { repository, digest, owner: 'origin' });
  const owner = isNamed ? 'origin' : link.owner;
  const isNew = owner !== 'cached' && known?.owner !== 'pending';
  await requireRoom(sql, quotas, { repository, askedBytes: isNew ? link.size : 0 });
  const untilMs = owner === 'pending' ? Math.max(link.untilMs ?? 0, known?.until_ms ?? 0) : null;
  const values = { owner, until_ms: untilMs, size: link.size };
  await sql
    .insertInto('repository_blobs')
    .values({ repository, digest, ...values })
    .onConflict((conflict) => conflict.columns(['repository', 'digest']).doUpdateSet(values))
    .execute();
  if (known?.owner !== owner || known.size !== link.size) changed('links', repository);
}

/** Whether a manifest of the repository names the blob, wherever. */
async function isNamedBy(
  sql: MainSql,
  by: { readonly repository: Repository; readonly digest: Digest; readonly owner?: 'origin' },
): Promise<boolean> {
  let query = sql
    .selectFrom('manifest_blobs')
    .innerJoin('repository_manifests', 'repository_manifests.digest', 'manifest_blobs.manifest')
    .select('manifest_blobs.manifest')
    .where('manifest_blobs.blob', '=', by.digest)
    .where('repository_manifests.repository', '=', by.repository)
    .limit(1);
  if (by.owner) query = query.where('repository_manifests.owner', '=', by.owner);
  return (await query.executeTakeFirst()) !== undefined;
}

/** Its tags go by the foreign key. Uploads that wait for a manifest stay, whoever named them before. */
async function removeManifest(sql: MainSql, repository: Repository, digest: Digest): Promise<boolean> {
  const removed = await sql
    .deleteFrom('repository_manifests')
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .executeTakeFirst();
  if (removed.numDeletedRows === 0n) return false;
  const named = await sql
    .selectFrom('manifest_blobs')
    .select('blob')
    .where('manifest', '=', digest)
    .execute();
  for (const { blob } of named) {
    if (await isNamedBy(sql, { repository, digest: blob })) continue;
    await sql
      .deleteFrom('repository_blobs')
      .where('repository', '=', repository)
      .where('digest', '=', blob)
      .where('owner', '!=', 'pending')
      .execute();
  }
  await forgetUnlinked(sql, digest);
  return true;
}

/** What no repository holds is no longer told about; the facts of the digest stay. */
async function forgetUnlinked(sql: MainSql, digest: Digest): Promise<void> {
  const holder = await sql
    .selectFrom('repository_manifests')
    .select('repository')
    .where('digest', '=', digest)
    .limit(1)
    .executeTakeFirst();
  if (!holder) await sql.deleteFrom('manifests').where('digest', '=', digest).execute();
}

/** A link whose time is over goes back to `cached` when a manifest still names the blob, else it ends. */
async function sweepPending(sql: MainSql, nowMs: number, changed: Changed): Promise<number> {
  const over = await sql
    .selectFrom('repository_blobs')
    .select(['repository', 'digest'])
    // Only what is pending has an end.
    .where('until_ms', '<=', nowMs)
    .execute();
  for (const { repository, digest } of over) {
    if (await isNamedBy(sql, { repository, digest })) {
      await sql
        .updateTable('repository_blobs')
        .set({ owner: 'cached', until_ms: null })
        .where('repository', '=', repository)
        .where('digest', '=', digest)
        .execute();
    } else {
      await sql
        .deleteFrom('repository_blobs')
        .where('repository', '=', repository)
        .where('digest', '=', digest)
        .execute();
    }
    changed('links', repository);
  }
  return over.length;
}

async function unowned(sql: MainSql, digests: readonly Digest[]): Promise<readonly Digest[]> {
  const owned = new Set<Digest>();
  for (const chunk of inChunks(digests)) {
    const blobs = sql.selectFrom('repository_blobs').select('digest').where('digest', 'in', chunk);
    const manifests = sql.selectFrom('repository_manifests').select('digest').where('digest', 'in', chunk);
    for (const { digest } of await blobs.union(manifests).execute()) owned.add(digest);
    for (const { digest } of await documentsInUse(sql, chunk).execute()) if (digest) owned.add(digest);
  }
  return digests.filter((digest) => !owned.has(digest));
}

async function merelyCached(sql: MainSql, digests: readonly Digest[]): Promise<readonly Digest[]> {
  const cached = new Set<Digest>();
  const held = new Set<Digest>();
  for (const chunk of inChunks(digests)) {
    const blobs = sql.selectFrom('repository_blobs').select(['digest', 'owner']).where('digest', 'in', chunk);
    const manifests = sql
      .selectFrom('repository_manifests')
      .select(['digest', 'owner'])
      .where('digest', 'in', chunk);
    for (const { digest, owner } of await blobs.union(manifests).execute()) {
      (owner === 'cached' ? cached : held).add(digest);
    }
    for (const { digest } of await documentsInUse(sql, chunk).execute()) if (digest) held.add(digest);
  }
  return digests.filter((digest) => cached.has(digest) && !held.has(digest));
}
