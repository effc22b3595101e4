import type { Migration } from './migrate.ts';

/** `audit-index.db`: a row for each leaf of the log. Every index ends in the leaf, so that pages come newest first. */
export const INDEX_MIGRATIONS: readonly Migration[] = [
  {
    name: 'records',
    statements: [
      `create table records (
        leaf integer primary key,
        time_ms integer not null,
        principal text,
        action text not null,
        outcome text not null check (outcome in ('allowed', 'refused')),
        repository text,
        digest text,
        address text,
        record text not null
      ) strict`,
      'create index records_by_time on records (time_ms, leaf)',
      'create index records_by_principal on records (principal, leaf) where principal is not null',
      'create index records_by_action on records (action, leaf)',
      'create index records_by_repository on records (repository, leaf) where repository is not null',
      'create index records_by_digest on records (digest, leaf) where digest is not null',
      'create index records_by_address on records (address, leaf) where address is not null',
    ],
  },
];
