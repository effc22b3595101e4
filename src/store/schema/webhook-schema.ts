import type { Migration } from './migration.ts';

export const WEBHOOKS: Migration = {
  name: 'webhooks',
  statements: [
    `create table webhook_messages (
      webhook text not null,
      place integer not null,
      id text not null,
      event text not null,
      body text not null,
      queued_at_ms integer not null,
      attempts integer not null,
      not_before_ms integer not null,
      held_until_ms integer not null,
      is_dead integer not null check (is_dead in (0, 1)),
      reason text,
      primary key (webhook, id)
    ) strict, without rowid`,
    'create unique index webhook_messages_in_order on webhook_messages (webhook, is_dead, place)',
    `create table webhook_cursors (
      node text primary key,
      next integer not null
    ) strict, without rowid`,
    `create table webhook_said (
      message_key text primary key,
      until_ms integer not null
    ) strict, without rowid`,
    `create table webhook_news (
      digest text not null,
      scanner text not null,
      at_ms integer not null,
      status text not null,
      primary key (digest, scanner)
    ) strict, without rowid`,
    'create index webhook_news_by_time on webhook_news (at_ms)',
    `create table webhook_admitted (
      repository text not null,
      digest text not null,
      at_ms integer not null,
      primary key (repository, digest)
    ) strict, without rowid`,
  ],
};
