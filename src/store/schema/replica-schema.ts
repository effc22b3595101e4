import type { Migration } from './migration.ts';

/** What replicas that share a PostgreSQL tell each other there. */
export const REPLICA_MIGRATIONS: readonly Migration[] = [
  {
    name: 'changes, and keys that replicas share',
    statements: [
      `create table changes (
        seq bigint generated always as identity primary key,
        replica text not null,
        changes text not null,
        at_ms bigint not null default (extract(epoch from clock_timestamp()) * 1000)
      )`,
      `create table shared_keys (
        name text primary key,
        sealed text not null
      )`,
    ],
  },
];
