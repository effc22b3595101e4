import type { CompiledQuery, QueryExecutorProvider } from 'kysely';
import { CHUNK_ROWS, inChunks } from './rows.ts';

interface Executor extends QueryExecutorProvider {
  executeQuery(query: CompiledQuery): Promise<unknown>;
}

/**
 * Inserts any number of rows. The statement for a full chunk is put together once: for thousands of rows a second that
 * costs as much as the database takes to write them.
 *
 * @param build the statement for these rows. All rows have the same keys, in the same order.
 */
export function insertMany<Sql extends Executor, Row extends object>(
  build: (sql: Sql, rows: readonly Row[]) => { compile(): CompiledQuery },
): (sql: Sql, rows: readonly Row[]) => Promise<void> {
  let whole: CompiledQuery | undefined;
  return async (sql, rows) => {
    for (const chunk of inChunks(rows)) {
      if (chunk.length < CHUNK_ROWS) {
        await sql.executeQuery(build(sql, chunk).compile());
        continue;
      }
      whole ??= build(sql, chunk).compile();
      const parameters: unknown[] = [];
      for (const row of chunk) for (const value of Object.values(row)) parameters.push(value);
      await sql.executeQuery({ ...whole, parameters });
    }
  };
}
