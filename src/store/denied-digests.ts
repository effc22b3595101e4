import type { Digest } from '../oci/index.ts';
import type { DeniedDigest } from '../verdicts/index.ts';
import type { MainSql } from './tables.ts';
import type { Changed } from './transactions.ts';

export async function denyDigest(sql: MainSql, denied: DeniedDigest, changed: Changed): Promise<void> {
  const values = { reason: denied.reason, author: denied.author, at_ms: denied.atMs };
  await sql
    .insertInto('denied_digests')
    .values({ digest: denied.digest, ...values })
    .onConflict((conflict) => conflict.column('digest').doUpdateSet(values))
    .execute();
  await tellOf(sql, denied.digest, changed);
}

export async function undenyDigest(sql: MainSql, digest: Digest, changed: Changed): Promise<boolean> {
  const removed = await sql.deleteFrom('denied_digests').where('digest', '=', digest).executeTakeFirst();
  if (removed.numDeletedRows === 0n) return false;
  await tellOf(sql, digest, changed);
  return true;
}

/** A blob's verdict is that of the manifests that name it. */
async function tellOf(sql: MainSql, digest: Digest, changed: Changed): Promise<void> {
  changed('facts', digest);
  const naming = await sql
    .selectFrom('manifest_blobs')
    .select('manifest')
    .where('blob', '=', digest)
    .execute();
  for (const { manifest } of naming) changed('facts', manifest);
}
