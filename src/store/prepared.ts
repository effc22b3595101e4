import type { CompiledQuery, Kysely } from 'kysely';

/**
 * A query that is put together once and asked with other values each time: for what every pull asks, where putting
 * it together costs several times what the database needs to answer.
 *
 * @param build given a text for each of its parameters; every one of them is a value of the query, wherever it
 *   stands. It must not look at them.
 */
export function prepare<Tables, Values extends readonly string[], Row>(
  sql: Kysely<Tables>,
  build: (...values: Values) => { compile(): CompiledQuery<Row> },
): (...values: Values) => Promise<readonly Row[]> {
  const marks: readonly unknown[] = Array.from({ length: build.length }, (_, index) => `value ${index}`);
  // The marks only show where the values go.
  const query = build(...(marks as Values)).compile();
  const places = query.parameters.map((parameter) => marks.indexOf(parameter));
  return async (...values) => {
    const parameters = query.parameters.map((given, index) => values[places[index] ?? -1] ?? given);
    return (await sql.executeQuery<Row>({ ...query, parameters })).rows;
  };
}
