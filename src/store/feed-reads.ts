import { FEED_NAMES, type Feeds, type FeedWord } from '../policy/index.ts';
import type { KeptFeed } from '../verdicts/index.ts';
import { inChunks, optional } from './rows.ts';
import type { MainSql } from './tables.ts';

export async function listFeeds(sql: MainSql): Promise<readonly KeptFeed[]> {
  const feeds = await sql.selectFrom('feeds').selectAll().execute();
  const tries = await sql.selectFrom('feed_tries').selectAll().execute();
  return FEED_NAMES.map((name) => {
    const row = feeds.find((one) => one.name === name);
    const tried = tries.find((one) => one.name === name);
    return {
      name,
      ...(row
        ? {
            content: {
              revision: row.revision,
              asOfMs: row.as_of_ms,
              source: row.source,
              entries: row.entries,
              madeAtMs: row.made_at_ms,
              ...optional('etag', row.etag),
              ...optional('lastModified', row.last_modified),
            },
          }
        : {}),
      ...(tried ? { tried: { atMs: tried.at_ms, ...optional('problem', tried.problem) } } : {}),
    };
  });
}

/** What the feeds in force say of these vulnerabilities. */
export async function findFeedWords(
  sql: MainSql,
  ids: readonly string[],
): Promise<{ readonly feeds: Feeds; readonly words: ReadonlyMap<string, FeedWord> }> {
  const rows = await sql.selectFrom('feeds').select(['name', 'generation', 'revision', 'as_of_ms']).execute();
  const feeds: Feeds = Object.fromEntries(
    rows.map(({ name, revision, as_of_ms }) => [name, { revision, asOfMs: as_of_ms }]),
  );
  const generationOf = (name: string) => rows.find((row) => row.name === name)?.generation ?? 0;
  const words = new Map<string, FeedWord>();
  for (const chunk of inChunks(ids)) {
    const scores = await sql
      .selectFrom('epss_scores')
      .selectAll()
      .where('generation', '=', generationOf('epss'))
      .where('cve', 'in', chunk)
      .execute();
    for (const { cve, score, percentile } of scores) words.set(cve, { epss: { score, percentile } });
    const listed = await sql
      .selectFrom('kev_entries')
      .selectAll()
      .where('generation', '=', generationOf('kev'))
      .where('cve', 'in', chunk)
      .execute();
    for (const { cve, added_at_ms, due_at_ms } of listed) {
      const kev = { addedAtMs: added_at_ms, ...optional('dueAtMs', due_at_ms) };
      words.set(cve, { ...words.get(cve), kev });
    }
  }
  return { feeds, words };
}
