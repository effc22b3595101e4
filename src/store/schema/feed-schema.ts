import type { Migration } from './migration.ts';

/**
 * Lists that are loaded from elsewhere. The rows of a new one are written beside those of the one in force, under a
 * generation of their own, so that no transaction is long; `feeds` says which generation counts.
 */
export const FEEDS: Migration = {
  name: 'feeds: EPSS scores and the KEV catalog',
  statements: [
    `create table feeds (
      name text primary key check (name in ('epss', 'kev')),
      generation integer not null,
      revision text not null,
      source text not null,
      etag text,
      last_modified text,
      made_at_ms integer not null,
      as_of_ms integer not null,
      entries integer not null
    ) strict, without rowid`,
    `create table feed_tries (
      name text primary key check (name in ('epss', 'kev')),
      at_ms integer not null,
      problem text
    ) strict, without rowid`,
    `create table epss_scores (
      generation integer not null,
      cve text not null,
      score real not null,
      percentile real not null,
      primary key (generation, cve)
    ) strict, without rowid`,
    `create table kev_entries (
      generation integer not null,
      cve text not null,
      added_at_ms integer not null,
      due_at_ms integer,
      primary key (generation, cve)
    ) strict, without rowid`,
  ],
};
