/**
 * A statement of a schema as PostgreSQL wants it. Schemas are written once, in the SQL that both know; what differs is
 * the name of three types and the options of a SQLite table. Text compares by its bytes on both, so that pages of a
 * listing do not depend on the language of the server.
 */
export function toPostgres(statement: string): string {
  return (
    statement
      // What stands between quotes is a value.
      .split(/('(?:[^']|'')*')/)
      .map((part, index) => (index % 2 === 1 ? part : translate(part)))
      .join('')
  );
}

function translate(sql: string): string {
  return sql
    .replace(/\)\s*strict(?:,\s*without rowid)?\s*$/i, ')')
    .replace(/(?<=\w )integer\b/gi, 'bigint')
    .replace(/(?<=\w )real\b/gi, 'double precision')
    .replace(/(?<=\w )text\b/gi, 'text collate "C"');
}
