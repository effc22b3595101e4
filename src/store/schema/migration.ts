/** One step of a schema. Its number is its place in the list, from 1; a step that was released never changes. */
export interface Migration {
  readonly name: string;
  /** In the SQL that SQLite and PostgreSQL share; types are SQLite's, see `postgres/translate.ts`. */
  readonly statements: readonly Statement[];
}

/** `sqlite`: moves rows that only a SQLite file of an older version can hold. */
export type Statement = string | { readonly sqlite: string };
