import type { Digest } from '../oci/index.ts';
import type { MainSql } from './tables.ts';

/**
 * Everything by which somebody got content that has a finding, or this manifest: the manifests, the indexes that list
 * them, and their configs and layers.
 */
export async function findExposed(
  sql: MainSql,
  bad: { readonly finding: string } | { readonly digest: Digest },
): Promise<readonly Digest[]> {
  const manifests = 'digest' in bad ? [bad.digest] : await manifestsWith(sql, bad.finding);
  if (manifests.length === 0) return [];
  const found = new Set<Digest>(manifests);
  // One statement each: a finding is in some images, and each has few parents and layers.
  for (const manifest of manifests) {
    const parents = await sql
      .selectFrom('manifest_children')
      .select('manifest')
      .where('child', '=', manifest)
      .execute();
    for (const { manifest: parent } of parents) found.add(parent);
    const blobs = await sql
      .selectFrom('manifest_blobs')
      .select('blob')
      .where('manifest', '=', manifest)
      .where('place', 'in', ['config', 'layer'])
      .execute();
    for (const { blob } of blobs) found.add(blob);
  }
  return [...found].sort();
}

async function manifestsWith(sql: MainSql, finding: string): Promise<readonly Digest[]> {
  const rows = await sql
    .selectFrom('findings')
    .select('digest')
    .distinct()
    .where('finding', '=', finding)
    .execute();
  return rows.map(({ digest }) => digest);
}
