import type { Migration } from './migration.ts';

export const WAIVERS_IN_PACKAGES: Migration = {
  name: 'waivers for a finding in one package',
  statements: ['alter table waivers add column package text'],
};

export const POLICY_FACTS: Migration = {
  name: 'what policies ask of manifests, denied digests, versions of policies, waivers for rules',
  statements: [
    'alter table manifests add column content_size integer',
    'alter table manifests add column layer_count integer',
    'alter table manifests add column media_types text',
    `create table manifest_children (
      child text not null,
      manifest text not null references manifests (digest) on delete cascade,
      primary key (child, manifest)
    ) strict, without rowid`,
    {
      sqlite: `insert into manifest_children (child, manifest)
      select distinct json_extract(entry.value, '$.digest'), manifests.digest
      from manifests, json_each(manifests.children) as entry`,
    },
    'create index manifest_children_by_manifest on manifest_children (manifest)',
    `create table superseded (
      repository text not null,
      digest text not null,
      at_ms integer not null,
      primary key (repository, digest),
      foreign key (repository, digest) references repository_manifests (repository, digest) on delete cascade
    ) strict, without rowid`,
    `create table denied_digests (
      digest text primary key,
      reason text not null,
      author text not null,
      at_ms integer not null
    ) strict, without rowid`,
    'alter table digests add column base_created_at_ms integer',
    'alter table findings add column cvss real',
    'alter table findings add column published_at_ms integer',
    `create table policy_versions (
      name text not null,
      version integer not null,
      at_ms integer not null,
      author text not null,
      policy text,
      primary key (name, version)
    ) strict, without rowid`,
    `create table waivers_for_rules (
      id text primary key,
      finding text,
      rule text,
      digest text,
      pattern text,
      reason text not null,
      ticket text,
      author text not null,
      approved_by text,
      ends_at_ms integer not null,
      check ((finding is null) <> (rule is null))
    ) strict, without rowid`,
    `insert into waivers_for_rules (id, finding, digest, pattern, reason, author, ends_at_ms)
      select id, finding, digest, pattern, reason, author, ends_at_ms from waivers`,
    'drop table waivers',
    'alter table waivers_for_rules rename to waivers',
  ],
};
