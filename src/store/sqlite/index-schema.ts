import type { Migration } from '../schema/migration.ts';

/**
 * `audit-index.db`: a row for each leaf of the log, and an inverted index: `terms` are the values that records are
 * found by, `postings` the leaves of each, `term_days` how many of them a day has. Postings of a term are in the order
 * of the log, so that pages come newest first and a span of leaves narrows each of them; the counts say which of
 * several terms narrows most. Time is not the order of the log, only nearly: `hours` says between which leaves the
 * records of an hour lie.
 */
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
      `create table hours (
        hour integer primary key,
        first_leaf integer not null,
        last_leaf integer not null
      ) strict`,
      'create index records_by_principal on records (principal, leaf) where principal is not null',
      'create index records_by_action on records (action, leaf)',
      'create index records_by_outcome on records (outcome, leaf)',
      'create index records_by_repository on records (repository, leaf) where repository is not null',
      'create index records_by_digest on records (digest, leaf) where digest is not null',
      'create index records_by_address on records (address, leaf) where address is not null',
    ],
  },
  {
    // Read from the record itself, so that records indexed before this have them, too.
    name: 'reason and request',
    statements: [
      "alter table records add column reason text as (record ->> '$.reason') virtual",
      "alter table records add column request_id text as (record ->> '$.requestId') virtual",
      'create index records_by_reason on records (reason, leaf) where reason is not null',
      'create index records_by_request on records (request_id, leaf)',
    ],
  },
  {
    // Kept beside the records, since counting them all again for each access review would take minutes.
    name: 'last uses',
    statements: [
      `create table last_uses (
        principal_id text not null,
        action text not null,
        repository text not null,
        at_ms integer not null,
        primary key (principal_id, action, repository)
      ) strict, without rowid`,
    ],
  },
  {
    // The tables begin empty: the sequencer fills them from the log.
    name: 'inverted index',
    statements: [
      'drop table records',
      'delete from hours',
      `create table records (
        leaf integer primary key,
        time_ms integer not null,
        request_id text not null,
        record text not null
      ) strict`,
      'create index records_by_request on records (request_id, leaf)',
      `create table terms (
        id integer primary key,
        field text not null,
        value text not null,
        count integer not null,
        unique (field, value)
      ) strict`,
      'create index terms_by_count on terms (field, count)',
      `create table postings (
        term integer not null,
        leaf integer not null,
        primary key (term, leaf)
      ) strict, without rowid`,
      `create table term_days (
        term integer not null,
        day integer not null,
        count integer not null,
        primary key (term, day)
      ) strict, without rowid`,
    ],
  },
];
