import type { AccessRecord, LastUse } from '../audit/index.ts';
import { timeOf } from './record-spans.ts';
import { inChunks } from './rows.ts';
import type { IndexSql } from './tables.ts';

/** When each principal last did what, where. */
export async function findLastUses(sql: IndexSql): Promise<readonly LastUse[]> {
  const rows = await sql.selectFrom('last_uses').selectAll().execute();
  return rows.map((row) => ({
    principalId: row.principal_id,
    action: row.action,
    repository: row.repository,
    atMs: row.at_ms,
  }));
}

/** The records of one call that were allowed, as one row for each principal, action and repository. */
export async function noteUses(sql: IndexSql, records: readonly AccessRecord[]): Promise<void> {
  const uses = new Map<string, { principal_id: string; action: string; repository: string; at_ms: number }>();
  for (const record of records) {
    const { principal, action, repository = '', outcome } = record;
    if (outcome !== 'allowed' || principal === undefined || principal.id === '') continue;
    const key = JSON.stringify([principal.id, action, repository]);
    const at_ms = Math.max(timeOf(record), uses.get(key)?.at_ms ?? 0);
    uses.set(key, { principal_id: principal.id, action, repository, at_ms });
  }
  for (const chunk of inChunks([...uses.values()])) {
    await sql
      .insertInto('last_uses')
      .values(chunk)
      .onConflict((conflict) =>
        conflict
          .columns(['principal_id', 'action', 'repository'])
          .doUpdateSet({ at_ms: (eb) => eb.ref('excluded.at_ms') })
          .whereRef('excluded.at_ms', '>', 'last_uses.at_ms'),
      )
      .execute();
  }
}
