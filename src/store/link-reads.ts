import type { LinkReads, Page, StoredManifest } from '../content/index.ts';
import type { Descriptor, Digest, Repository, Tag } from '../oci/index.ts';
import type { ManifestReads } from '../verdicts/index.ts';
import { fromJsonText } from './json-text.ts';
import { prepare } from './prepared.ts';
import { clampLimit, optional } from './rows.ts';
import type { MainSql } from './tables.ts';
import { snapshot } from './transactions.ts';

export function createLinkReads(sql: MainSql): LinkReads {
  const tagged = prepare(sql, (repository: Repository, tag: Tag) =>
    sql.selectFrom('tags').select('digest').where('repository', '=', repository).where('tag', '=', tag),
  );
  const linkedManifest = prepare(sql, (repository: Repository, digest: Digest) =>
    selectManifests(sql, repository).where('repository_manifests.digest', '=', digest),
  );
  const linkedBlob = prepare(sql, (repository: Repository, digest: Digest) =>
    sql
      .selectFrom('repository_blobs')
      .select(['owner', 'size'])
      .where('repository', '=', repository)
      .where('digest', '=', digest),
  );
  return {
    findTag: async (repository, tag) => (await tagged(repository, tag))[0]?.digest,
    listTags: (repository, page) => listTags(sql, repository, page),
    async listRepositories(page) {
      const rows = await sql
        .selectFrom('repository_manifests')
        .select('repository')
        .distinct()
        .where('repository', '>', afterLast<Repository>(page))
        .orderBy('repository')
        .limit(clampLimit(page.limit))
        .execute();
      return rows.map((row) => row.repository);
    },
    async findManifest(repository, digest) {
      const [row] = await linkedManifest(repository, digest);
      return row && toStoredManifest(row);
    },
    listManifests: (repository, page) => snapshot(sql, (now) => listManifests(now, repository, page)),
    async findBlob(repository, digest) {
      const [row] = await linkedBlob(repository, digest);
      return row && { owner: row.owner, size: row.size };
    },
    manifestsNaming: prepareManifestsNaming(sql),
    childrenOf: (digest) => childrenOf(sql, digest),
    async indexesNaming(repository, digest, limit) {
      const rows = await sql
        .selectFrom('manifest_children')
        .innerJoin('repository_manifests', 'repository_manifests.digest', 'manifest_children.manifest')
        .select('manifest_children.manifest')
        .where('manifest_children.child', '=', digest)
        .where('repository_manifests.repository', '=', repository)
        .orderBy('manifest_children.manifest')
        .limit(clampLimit(limit))
        .execute();
      return rows.map((row) => row.manifest);
    },
    async listReferrers(repository, subject, filter) {
      let query = selectManifests(sql, repository)
        .where('repository_manifests.subject', '=', subject)
        .where('repository_manifests.digest', '>', afterLast<Digest>(filter))
        .limit(clampLimit(filter.limit));
      if (filter.artifactType !== undefined) {
        query = query.where('manifests.artifact_type', '=', filter.artifactType);
      }
      return (await query.execute()).map(toStoredManifest);
    },
  };
}

export function createManifestReads(sql: MainSql): ManifestReads {
  return {
    async findManifestShape(repository, digest) {
      const row = await sql
        .selectFrom('repository_manifests')
        .innerJoin('manifests', 'manifests.digest', 'repository_manifests.digest')
        .select(['manifests.kind', 'manifests.children'])
        .where('repository_manifests.repository', '=', repository)
        .where('repository_manifests.digest', '=', digest)
        .executeTakeFirst();
      return row && { kind: row.kind, children: fromJsonText(row.children) };
    },
    manifestsNaming: prepareManifestsNaming(sql),
  };
}

/**
 * What a page begins after, as the column's type. It is compared as text and nothing else, so a `last` that could
 * be no name at all (threats N-19) only marks a place in byte order.
 */
function afterLast<Key extends string>(page: Page): Key {
  return (page.last ?? '') as Key;
}

function selectManifests(sql: MainSql, repository: Repository) {
  return sql
    .selectFrom('repository_manifests')
    .innerJoin('manifests', 'manifests.digest', 'repository_manifests.digest')
    .select([
      'manifests.digest',
      'manifests.media_type',
      'manifests.kind',
      'manifests.size',
      'manifests.artifact_type',
      'manifests.annotations',
      'manifests.subject',
      'repository_manifests.pushed_by',
    ])
    .where('repository_manifests.repository', '=', repository)
    .orderBy('repository_manifests.digest');
}

type ManifestRow = Awaited<ReturnType<ReturnType<typeof selectManifests>['execute']>>[number];

function toStoredManifest(row: ManifestRow): StoredManifest {
  return {
    digest: row.digest,
    mediaType: row.media_type,
    kind: row.kind,
    size: row.size,
    ...optional('artifactType', row.artifact_type),
    annotations: fromJsonText(row.annotations),
    ...optional('subject', row.subject),
    ...optional('pushedBy', row.pushed_by),
  };
}

async function listTags(sql: MainSql, repository: Repository, page: Page): Promise<readonly Tag[]> {
  const rows = await sql
    .selectFrom('tags')
    .select('tag')
    .where('repository', '=', repository)
    .where('tag', '>', afterLast<Tag>(page))
    .orderBy('tag')
    .limit(clampLimit(page.limit))
    .execute();
  return rows.map((row) => row.tag);
}

async function listManifests(
  sql: MainSql,
  repository: Repository,
  page: Page,
): ReturnType<LinkReads['listManifests']> {
  const rows = await selectManifests(sql, repository)
    .where('repository_manifests.digest', '>', afterLast<Digest>(page))
    .limit(clampLimit(page.limit))
    .execute();
  const first = rows[0];
  const last = rows.at(-1);
  if (!first || !last) return [];
  const tags = await sql
    .selectFrom('tags')
    .select(['digest', 'tag'])
    .where('repository', '=', repository)
    .where('digest', '>=', first.digest)
    .where('digest', '<=', last.digest)
    .orderBy('tag')
    .execute();
  const tagsByDigest = Map.groupBy(tags, (row) => row.digest);
  return rows.map((row) => ({
    ...toStoredManifest(row),
    tags: (tagsByDigest.get(row.digest) ?? []).map(({ tag }) => tag),
  }));
}

/** An index that lists the blob as a child does not count: a child is judged by what it is itself. */
function prepareManifestsNaming(sql: MainSql): ManifestReads['manifestsNaming'] {
  const naming = prepare(sql, (repository: Repository, blob: Digest) =>
    sql
      .selectFrom('manifest_blobs')
      .innerJoin('repository_manifests', 'repository_manifests.digest', 'manifest_blobs.manifest')
      .select('manifest_blobs.manifest')
      .where('manifest_blobs.blob', '=', blob)
      .where('manifest_blobs.place', 'in', ['config', 'layer', 'elsewhere'])
      .where('repository_manifests.repository', '=', repository)
      .orderBy('manifest_blobs.manifest'),
  );
  return async (repository, blob) => (await naming(repository, blob)).map((row) => row.manifest);
}

async function childrenOf(sql: MainSql, digest: Digest): Promise<readonly Descriptor[]> {
  const row = await sql
    .selectFrom('manifests')
    .select('children')
    .where('digest', '=', digest)
    .executeTakeFirst();
  return row ? fromJsonText(row.children) : [];
}
