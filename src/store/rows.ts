/** Entries of one page, whatever was asked: one more than a page of 1000, so that a caller can see whether there is a next. */
const LIMIT_MAX = 1001;
export const CHUNK_ROWS = 500;

export function clampLimit(limit: number): number {
  return Number.isNaN(limit) ? 0 : Math.min(Math.max(0, Math.trunc(limit)), LIMIT_MAX);
}

/** Parts of a list that fit into one statement: a database takes only so many parameters. */
export function inChunks<T>(list: readonly T[]): readonly (readonly T[])[] {
  const count = Math.ceil(list.length / CHUNK_ROWS);
  return Array.from({ length: count }, (_, index) =>
    list.slice(index * CHUNK_ROWS, (index + 1) * CHUNK_ROWS),
  );
}

/** `{ [key]: value }`, or nothing where the column is null. */
export function optional<Key extends string, Value>(
  key: Key,
  value: Value | null,
): { readonly [name in Key]?: Value } {
  // A computed key widens to string; the type says what it is.
  return value === null ? {} : ({ [key]: value } as { readonly [name in Key]: Value });
}
