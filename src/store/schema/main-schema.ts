import { FEEDS } from './feed-schema.ts';
import type { Migration } from './migration.ts';
import { POLICY_FACTS, WAIVERS_IN_PACKAGES } from './policy-schema.ts';
import { REPORTS } from './report-schema.ts';
import { WEBHOOKS } from './webhook-schema.ts';

/**
 * The main tables: `dockgate.db`, or PostgreSQL. Text compares by its bytes (SQLite's `binary`, PostgreSQL's `C`), so keys come in byte order. A step
 * that was released is never edited; a change is a new step at the end.
 */
const ACCOUNTS: Migration = {
  name: 'accounts, groups, roles, grants',
  statements: [
    `create table accounts (
      id text primary key,
      kind text not null check (kind in ('user', 'robot')),
      name text not null,
      name_key text not null,
      secret_hash text not null,
      is_disabled integer not null check (is_disabled in (0, 1)),
      not_before_ms integer not null,
      created_at_ms integer not null,
      expires_at_ms integer,
      unique (kind, name_key)
    ) strict, without rowid`,
    'create table spent_ids (id text primary key) strict, without rowid',
    `create table groups (
      id text primary key,
      name text not null,
      name_key text not null unique
    ) strict, without rowid`,
    `create table group_members (
      group_id text not null references groups (id) on delete cascade,
      account_id text not null references accounts (id) on delete cascade,
      primary key (group_id, account_id)
    ) strict, without rowid`,
    'create index group_members_by_account on group_members (account_id)',
    `create table roles (
      name text primary key,
      actions text not null,
      is_built_in integer not null check (is_built_in in (0, 1))
    ) strict, without rowid`,
    `create table grants (
      id text primary key,
      role text not null references roles (name),
      pattern text not null,
      subject_kind text not null check (subject_kind in ('user', 'group', 'robot', 'anonymous')),
      account_id text references accounts (id) on delete cascade,
      group_id text references groups (id) on delete cascade,
      effect text not null check (effect in ('allow', 'deny')),
      from_ms integer,
      until_ms integer,
      check ((account_id is not null) = (subject_kind in ('user', 'robot'))),
      check ((group_id is not null) = (subject_kind = 'group'))
    ) strict, without rowid`,
    'create index grants_by_account on grants (account_id) where account_id is not null',
    'create index grants_by_group on grants (group_id) where group_id is not null',
    'create index grants_by_role on grants (role)',
    `create table refresh_tokens (
      id text primary key,
      account_id text not null references accounts (id) on delete cascade,
      service text not null,
      client_id text not null,
      secret_hash text not null,
      created_at_ms integer not null,
      last_used_at_ms integer not null
    ) strict, without rowid`,
    'create index refresh_tokens_by_account on refresh_tokens (account_id, last_used_at_ms)',
  ],
};

const LINKS: Migration = {
  name: 'manifests, and which repository holds what',
  statements: [
    `create table manifests (
      digest text primary key,
      media_type text not null,
      kind text not null check (kind in ('image', 'artifact', 'index')),
      size integer not null,
      artifact_type text,
      annotations text not null,
      subject text,
      children text not null
    ) strict, without rowid`,
    `create table manifest_blobs (
      manifest text not null references manifests (digest) on delete cascade,
      blob text not null,
      place text not null check (place in ('config', 'layer', 'elsewhere', 'child')),
      primary key (manifest, blob)
    ) strict, without rowid`,
    'create index manifest_blobs_by_blob on manifest_blobs (blob, manifest)',
    `create table repository_manifests (
      repository text not null,
      digest text not null references manifests (digest),
      owner text not null check (owner in ('origin', 'cached')),
      subject text,
      pushed_by text,
      linked_at_ms integer not null,
      primary key (repository, digest)
    ) strict, without rowid`,
    'create index repository_manifests_by_digest on repository_manifests (digest)',
    `create index repository_manifests_by_subject on repository_manifests (repository, subject, digest)
      where subject is not null`,
    `create table repository_blobs (
      repository text not null,
      digest text not null,
      owner text not null check (owner in ('origin', 'pending', 'cached')),
      size integer not null,
      until_ms integer,
      primary key (repository, digest),
      check ((until_ms is not null) = (owner = 'pending'))
    ) strict, without rowid`,
    'create index repository_blobs_by_digest on repository_blobs (digest)',
    'create index repository_blobs_pending on repository_blobs (until_ms) where until_ms is not null',
    `create table tags (
      repository text not null,
      tag text not null,
      digest text not null,
      set_at_ms integer not null,
      primary key (repository, tag),
      foreign key (repository, digest) references repository_manifests (repository, digest) on delete cascade
    ) strict, without rowid`,
    'create index tags_by_digest on tags (repository, digest)',
  ],
};

const FACTS: Migration = {
  name: 'scans, findings, policies, waivers',
  statements: [
    `create table digests (
      digest text primary key,
      kind text not null check (kind in ('image', 'artifact', 'index')),
      first_seen_at_ms integer not null,
      created_at_ms integer
    ) strict, without rowid`,
    `create table scans (
      digest text not null references digests (digest) on delete cascade,
      scanner text not null,
      at_ms integer not null,
      version text not null,
      status text not null check (status in ('done', 'unscannable')),
      reason text,
      primary key (digest, scanner)
    ) strict, without rowid`,
    'create index scans_by_age on scans (scanner, at_ms, digest)',
    `create table findings (
      digest text not null,
      scanner text not null,
      position integer not null,
      kind text not null check (kind in ('vulnerability', 'secret', 'malware', 'misconfiguration')),
      finding text not null,
      severity text not null,
      title text not null,
      location text,
      blob text,
      package text,
      installed_version text,
      fixed_version text,
      primary key (digest, scanner, position),
      foreign key (digest, scanner) references scans (digest, scanner) on delete cascade
    ) strict, without rowid`,
    'create index findings_by_blob on findings (blob, kind) where blob is not null',
    `create table policies (
      name text primary key,
      owner text not null check (owner in ('api', 'config', 'shipped')),
      policy text
    ) strict, without rowid`,
    `create table waivers (
      id text primary key,
      finding text not null,
      digest text,
      pattern text,
      reason text not null,
      author text not null,
      ends_at_ms integer not null
    ) strict, without rowid`,
  ],
};

const DELEGATION: Migration = {
  name: 'grants: since when, by whom, at most what',
  statements: [
    'alter table grants add column created_at_ms integer',
    'alter table grants add column given_by text',
    'alter table grants add column actions_max text',
    // Everybody's rights are part of each principal's, so they are looked up with every one of them.
    "create index grants_of_everybody on grants (subject_kind) where subject_kind = 'anonymous'",
  ],
};

const PERSONAL_TOKENS: Migration = {
  name: 'personal access tokens, rotation with an overlap, last use',
  statements: [
    'alter table accounts add column previous_secret_hash text',
    'alter table accounts add column previous_until_ms integer',
    'alter table accounts add column last_used_at_ms integer',
    'alter table accounts add column last_used_from text',
    'alter table refresh_tokens add column last_used_from text',
    `create table personal_tokens (
      id text primary key,
      account_id text not null references accounts (id) on delete cascade,
      name text not null,
      secret_hash text not null unique,
      previous_secret_hash text,
      previous_until_ms integer,
      allows text not null,
      created_at_ms integer not null,
      expires_at_ms integer not null,
      last_used_at_ms integer,
      last_used_from text,
      unique (account_id, name)
    ) strict, without rowid`,
    `create index personal_tokens_by_previous on personal_tokens (previous_secret_hash)
      where previous_secret_hash is not null`,
  ],
};

const SECOND_FACTORS: Migration = {
  name: 'second factors, and roles that ask for one',
  statements: [
    'alter table accounts add column second_factor text',
    'alter table accounts add column factor_step integer',
    'alter table accounts add column pending_factor text',
    'alter table roles add column needs_factor integer',
    `create table recovery_codes (
      account_id text not null references accounts (id) on delete cascade,
      code_hash text not null,
      primary key (account_id, code_hash)
    ) strict, without rowid`,
  ],
};

const EXTERNAL_PEOPLE: Migration = {
  name: 'people of other directories',
  statements: [
    'alter table group_members add column provider text',
    `create table external_identities (
      provider text not null,
      subject text not null,
      account_id text not null references accounts (id) on delete cascade,
      primary key (provider, subject)
    ) strict, without rowid`,
    'create index external_identities_by_account on external_identities (account_id)',
  ],
};

const ENDED_SESSIONS: Migration = {
  name: 'sessions that ended by themselves',
  statements: [
    `create table ended_sessions (
      id text primary key,
      account_id text not null references accounts (id) on delete cascade,
      until_ms integer not null
    ) strict, without rowid`,
    'create index ended_sessions_by_account on ended_sessions (account_id)',
  ],
};

const PROGRAM_SIGN_INS: Migration = {
  name: 'sign-ins of programs that a person confirms',
  statements: [
    `create table program_sign_ins (
      secret_hash text primary key,
      code_hash text unique,
      challenge text,
      source text not null,
      created_at_ms integer not null,
      until_ms integer not null,
      account_id text references accounts (id) on delete cascade,
      decided_at_ms integer
    ) strict, without rowid`,
    'create index program_sign_ins_by_account on program_sign_ins (account_id)',
  ],
};

export const MAIN_MIGRATIONS: readonly Migration[] = [
  // One a line, in the order in which they came.
  ACCOUNTS,
  LINKS,
  FACTS,
  DELEGATION,
  PERSONAL_TOKENS,
  POLICY_FACTS,
  SECOND_FACTORS,
  EXTERNAL_PEOPLE,
  ENDED_SESSIONS,
  REPORTS,
  PROGRAM_SIGN_INS,
  WAIVERS_IN_PACKAGES,
  FEEDS,
  WEBHOOKS,
];
