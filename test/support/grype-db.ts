import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';

const at = '2026-05-20T00:00:00Z';

/** Every table that Grype's model 6 may read. */
const TABLES = [
  'blobs (id integer primary key, value text not null)',
  'db_metadata (build_timestamp datetime, model integer, revision integer, addition integer)',
  'providers (id text primary key, version text, processor text, date_captured datetime, input_digest text)',
  `vulnerability_handles (id integer primary key, name text, status text, published_date datetime,
    modified_date datetime, withdrawn_date datetime, provider_id text, blob_id integer)`,
  'vulnerability_aliases (name text, alias text, primary key (name, alias))',
  `operating_systems (id integer primary key, name text, release_id text, channel text, major_version text,
    minor_version text, label_version text, codename text, eol_date datetime, eoas_date datetime)`,
  `operating_system_specifier_overrides (alias text, version text, version_pattern text, codename text, channel text,
    replacement text, replacement_major_version text, replacement_minor_version text,
    replacement_label_version text, replacement_channel text, rolling numeric, applicable_client_db_schemas text)`,
  'packages (id integer primary key, ecosystem text, name text)',
  'package_specifier_overrides (ecosystem text, replacement_ecosystem text)',
  'architecture_aliases (alias text, canonical text)',
  `affected_package_handles (id integer primary key, vulnerability_id integer, operating_system_id integer,
    package_id integer, blob_id integer)`,
  `unaffected_package_handles (id integer primary key, vulnerability_id integer, operating_system_id integer,
    package_id integer, blob_id integer)`,
  'affected_cpe_handles (id integer primary key, vulnerability_id integer, cpe_id integer, blob_id integer)',
  'unaffected_cpe_handles (id integer primary key, vulnerability_id integer, cpe_id integer, blob_id integer)',
  `cpes (id integer primary key, part text, vendor text, product text, edition text, language text,
    software_edition text, target_hardware text, target_software text, other text)`,
  'package_cpes (cpe_id integer, package_id integer)',
  'known_exploited_vulnerability_handles (id integer primary key, cve text, blob_id integer)',
  'epss_handles (id integer primary key, cve text, epss real, percentile real)',
  'epss_metadata (date datetime)',
  'cwe_handles (id integer primary key, cve text, cwe text, source text, type text)',
  'ssvc_handles (id integer primary key, cve text, blob_id integer)',
];

/** Of npm's package `left-out`, below 4.17.21. */
const VULNERABILITY = {
  id: 'GHSA-test-test-0001',
  description: 'prototype pollution',
  aliases: ['CVE-2026-77'],
  severities: [
    { scheme: 'CHML', value: 'high', rank: 1 },
    {
      scheme: 'CVSS',
      value: { vector: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', version: '3.1' },
      rank: 2,
    },
  ],
};
const AFFECTED = {
  cves: ['CVE-2026-77'],
  ranges: [
    {
      version: { type: 'semver', constraint: '<4.17.21' },
      fix: { version: '4.17.21', state: 'fixed' },
    },
  ],
};

/**
 * Makes a database with one vulnerability and lets Grype import it.
 *
 * @returns the folder of the database.
 * @see anchore/grype: grype/db/v6/models.go
 */
export async function makeGrypeDatabase(grype: string, folder: string): Promise<string> {
  const database = join(folder, 'grype-db');
  mkdirSync(database, { recursive: true });
  const file = join(folder, 'vulnerability.db');
  const db = new DatabaseSync(file);
  for (const table of TABLES) db.exec(`create table ${table}`);
  const insert = (table: string, ...values: readonly (string | number | null)[]) =>
    db.prepare(`insert into ${table} values (${values.map(() => '?').join(', ')})`).run(...values);
  insert('db_metadata', at, 6, 1, 9);
  insert('providers', 'github', '1', 'vunnel', at, 'xxh64:0');
  insert('blobs', 1, JSON.stringify(VULNERABILITY));
  insert('blobs', 2, JSON.stringify(AFFECTED));
  insert('vulnerability_handles', 1, VULNERABILITY.id, 'active', at, at, null, 'github', 1);
  insert('vulnerability_aliases', VULNERABILITY.id, 'CVE-2026-77');
  insert('packages', 1, 'npm', 'left-out');
  insert('affected_package_handles', 1, 1, null, 1, 2);
  insert('epss_handles', 1, 'CVE-2026-77', 0.42, 0.97);
  insert('epss_metadata', at);
  db.close();
  const run = promisify(execFile);
  await run('tar', ['-czf', 'db.tar.gz', 'vulnerability.db'], { cwd: folder });
  const settings = { GRYPE_DB_CACHE_DIR: database, GRYPE_CHECK_FOR_APP_UPDATE: 'false' };
  await run(grype, ['db', 'import', join(folder, 'db.tar.gz')], {
    env: { PATH: process.env.PATH, HOME: folder, ...settings },
  });
  rmSync(file);
  return database;
}
