import type { Migration } from './migration.ts';

export const REPORTS: Migration = {
  name: 'pushed scan results, EPSS and KEV of findings, bills of materials',
  statements: [
    'alter table scans add column author text',
    'alter table findings add column epss real',
    'alter table findings add column is_exploited integer',
    `create table sboms (
      digest text not null,
      scanner text not null,
      format text not null check (format in ('cyclonedx', 'spdx', 'trivy')),
      document text,
      document_size integer,
      packages text not null,
      primary key (digest, scanner),
      foreign key (digest, scanner) references scans (digest, scanner) on delete cascade
    ) strict, without rowid`,
    'create index sboms_by_document on sboms (document) where document is not null',
  ],
};
