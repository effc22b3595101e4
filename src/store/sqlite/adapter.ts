import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import { toFault } from './errors.ts';

const STATEMENTS_MAX = 500;

/**
 * node:sqlite in the shape that kysely's SqliteDialect expects (better-sqlite3's). Prepared statements are kept by
 * their text, the least recently used go first. Every error leaves as a fault of the store.
 */
export function nodeSqlite(
  database: DatabaseSync,
  options: { readonly isReadOnly: boolean },
): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close: () => database.close(),
    prepare(sql) {
      const kept = statements.get(sql);
      const statement = kept ?? prepare(database, options.isReadOnly ? sql : translate(sql));
      statements.delete(sql);
      statements.set(sql, statement);
      for (const oldest of statements.keys()) {
        if (statements.size <= STATEMENTS_MAX) break;
        statements.delete(oldest);
      }
      return statement;
    },
  };
}

function prepare(database: DatabaseSync, sql: string): SqliteStatement {
  const statement = faulting(() => database.prepare(sql));
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => faulting(() => statement.all(...parameters.map(bind))),
    run: (parameters) => faulting(() => run(database, sql, statement, parameters)),
    iterate: (parameters) => statement.iterate(...parameters.map(bind)),
  };
}

/**
 * A transaction that reads first and writes later would fail at once when another process wrote in between,
 * whatever the time-out; so a connection that can write takes its turn at the start.
 */
function translate(sql: string): string {
  return sql === 'begin' ? 'begin immediate' : sql;
}

function run(
  database: DatabaseSync,
  sql: string,
  statement: StatementSync,
  parameters: readonly unknown[],
): ReturnType<SqliteStatement['run']> {
  // SQLite ends a transaction by itself when the disk is full; rolling back once more would hide that error.
  if (sql === 'rollback' && !database.isTransaction) return { changes: 0, lastInsertRowid: 0 };
  return statement.run(...parameters.map(bind));
}

/** node:sqlite throws on booleans, undefined and dates. */
function bind(value: unknown): SQLInputValue {
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return value;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`a ${typeof value} cannot be a parameter of a statement`);
}

function faulting<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toFault(error);
  }
}
