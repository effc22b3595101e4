import type { ScanReport } from '../verdicts/index.ts';
import type { ScanNews } from '../webhooks/index.ts';
import type { MainSql } from './tables.ts';

/** Repositories named in one message; an image that lies in more is told of in these. */
const REPOSITORIES_MAX = 100;

/** Noted in the transaction that keeps the scan, so that no crash loses the news of it. */
export async function noteScan(sql: MainSql, { digest, scan }: ScanReport): Promise<void> {
  const said = { at_ms: scan.atMs, status: scan.status };
  await sql
    .insertInto('webhook_news')
    .values({ digest, scanner: scan.by, ...said })
    .onConflict((conflict) => conflict.columns(['digest', 'scanner']).doUpdateSet(said))
    .execute();
}

export async function listScanNews(sql: MainSql, limit: number): Promise<readonly ScanNews[]> {
  const rows = await sql
    .selectFrom('webhook_news')
    .selectAll()
    .orderBy('at_ms')
    .orderBy('digest')
    .orderBy('scanner')
    .limit(limit)
    .execute();
  const news: ScanNews[] = [];
  for (const { digest, scanner, at_ms, status } of rows) {
    const held = await sql
      .selectFrom('repository_manifests')
      .select('repository')
      .where('digest', '=', digest)
      .orderBy('repository')
      .limit(REPOSITORIES_MAX)
      .execute();
    const found = await sql
      .selectFrom('findings')
      .select(({ fn }) => ['severity', fn.countAll<number>().as('count')])
      .where('digest', '=', digest)
      .where('scanner', '=', scanner)
      .groupBy('severity')
      .execute();
    news.push({
      ...{ digest, by: scanner, atMs: at_ms, status },
      repositories: held.map(({ repository }) => repository),
      findings: Object.fromEntries(found.map(({ severity, count }) => [severity, Number(count)])),
    });
  }
  return news;
}
