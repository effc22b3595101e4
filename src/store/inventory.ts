import type { Holder, Inventory, Page, RepositoryUsage } from '../content/index.ts';
import type { Descriptor, Digest, Repository, Tag } from '../oci/index.ts';
import { fromJsonText } from './json-text.ts';
import { clampLimit } from './rows.ts';
import type { MainSql } from './tables.ts';
import { snapshot } from './transactions.ts';

/** What the repositories hold, for people who run the registry. */
export function createInventory(sql: MainSql): Inventory {
  return {
    listHeld: (page) => listHeld(sql, page),
    holdersOf: (digest) => snapshot(sql, (now) => holdersOf(now, digest)),
    usage: (limit) => snapshot(sql, (now) => usage(now, limit)),
  };
}

/** Every link of both kinds as one table: manifests with the size of their bytes. */
function links(sql: MainSql) {
  const blobs = sql.selectFrom('repository_blobs').select(['repository', 'digest', 'owner', 'size']);
  const manifests = sql
    .selectFrom('repository_manifests')
    .innerJoin('manifests', 'manifests.digest', 'repository_manifests.digest')
    .select([
      'repository_manifests.repository',
      'repository_manifests.digest',
      'repository_manifests.owner',
      'manifests.size',
    ]);
  return blobs.unionAll(manifests);
}

async function listHeld(sql: MainSql, page: Page): Promise<readonly Digest[]> {
  const rows = await sql
    .selectFrom(links(sql).as('links'))
    .select('digest')
    .distinct()
    .where('owner', 'in', ['origin', 'pending'])
    // No digest is before the empty text.
    .where('digest', '>', (page.last ?? '') as Digest)
    .orderBy('digest')
    .limit(clampLimit(page.limit))
    .execute();
  return rows.map(({ digest }) => digest);
}

async function holdersOf(sql: MainSql, digest: Digest): Promise<readonly Holder[]> {
  const rows = await sql
    .selectFrom(links(sql).as('links'))
    .select(['repository', 'owner'])
    .where('digest', '=', digest)
    .orderBy('repository')
    .execute();
  const named = await sql
    .selectFrom('manifest_blobs')
    .select('manifest')
    .where('blob', '=', digest)
    .execute();
  const affected = new Set([digest, ...named.map(({ manifest }) => manifest)]);
  const holders: Holder[] = [];
  for (const { repository, owner } of rows) {
    holders.push({ repository, owner, tags: await tagsOf(sql, repository, affected) });
  }
  return holders;
}

/** The tags that name one of the manifests, or an index around one. */
async function tagsOf(
  sql: MainSql,
  repository: Repository,
  manifests: ReadonlySet<Digest>,
): Promise<readonly Tag[]> {
  const indexes = await sql
    .selectFrom('repository_manifests')
    .innerJoin('manifests', 'manifests.digest', 'repository_manifests.digest')
    .select(['manifests.digest', 'manifests.children'])
    .where('repository_manifests.repository', '=', repository)
    .where('manifests.kind', '=', 'index')
    .execute();
  const children = indexes.map((row) => ({
    digest: row.digest,
    of: fromJsonText<readonly Descriptor[]>(row.children).map((child) => child.digest),
  }));
  const affected = new Set(manifests);
  // Indexes may stand in indexes: until a round finds none any more.
  for (let before = -1; before !== affected.size; ) {
    before = affected.size;
    for (const index of children) {
      if (index.of.some((child) => affected.has(child))) affected.add(index.digest);
    }
  }
  const tags = await sql
    .selectFrom('tags')
    .select(['tag', 'digest'])
    .where('repository', '=', repository)
    .orderBy('tag')
    .execute();
  return tags.filter((row) => affected.has(row.digest)).map(({ tag }) => tag);
}

async function usage(sql: MainSql, limit: number): ReturnType<Inventory['usage']> {
  const holders = sql
    .selectFrom(links(sql).as('links'))
    .select((eb) => ['digest', eb.fn.countAll().as('holders'), eb.fn.max('size').as('size')])
    .groupBy('digest');
  const rows = await sql
    .selectFrom(links(sql).as('links'))
    .innerJoin(holders.as('held'), 'held.digest', 'links.digest')
    .select((eb) => {
      const sizeWhere = (column: 'links.owner' | 'held.holders', value: string | number) =>
        eb.fn.sum(eb.case().when(column, '=', value).then(eb.ref('links.size')).else(0).end());
      return [
        'links.repository',
        eb.fn.sum('links.size').as('bytes'),
        sizeWhere('held.holders', 1).as('own'),
        sizeWhere('links.owner', 'origin').as('origin'),
        sizeWhere('links.owner', 'cached').as('cached'),
        sizeWhere('links.owner', 'pending').as('pending'),
      ];
    })
    .groupBy('links.repository')
    .orderBy('bytes', 'desc')
    .orderBy('links.repository')
    .limit(clampLimit(limit))
    .execute();
  const total = await sql
    .selectFrom(holders.as('held'))
    .select((eb) => [eb.fn.countAll().as('contents'), eb.fn.sum('size').as('bytes')])
    .executeTakeFirst();
  return {
    repositories: rows.map(
      ({ repository, bytes, own, origin, cached, pending }): RepositoryUsage => ({
        repository,
        bytes: Number(bytes),
        ownBytes: Number(own),
        sharedBytes: Number(bytes) - Number(own),
        originBytes: Number(origin),
        cachedBytes: Number(cached),
        pendingBytes: Number(pending),
      }),
    ),
    contents: Number(total?.contents ?? 0),
    bytes: Number(total?.bytes ?? 0),
  };
}
