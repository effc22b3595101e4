import type { Migration } from './migration.ts';

/** The scan queue: `scans.db`, or PostgreSQL. At most one job for a digest. */
export const SCAN_MIGRATIONS: readonly Migration[] = [
  {
    name: 'queue',
    statements: [
      `create table jobs (
        digest text primary key,
        repository text not null,
        priority integer not null,
        attempts integer not null,
        queued_at_ms integer not null,
        not_before_ms integer not null,
        held_until_ms integer not null
      ) strict, without rowid`,
      'create index jobs_by_urgency on jobs (priority, queued_at_ms, digest)',
    ],
  },
];
