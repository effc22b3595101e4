import type { Digest } from '../oci/index.ts';
import type { Facts, Finding, Scan, Waiver } from '../policy/index.ts';
import type { FactReads } from '../verdicts/index.ts';
import { fromJsonText } from './json-text.ts';
import { clampLimit, optional } from './rows.ts';
import type { FindingsTable, MainSql } from './tables.ts';
import { snapshot } from './transactions.ts';

export function createFactReads(sql: MainSql): FactReads {
  return {
    findFacts: (digest) => snapshot(sql, (now) => findFacts(now, digest)),
    async listPolicies() {
      const rows = await sql.selectFrom('policies').select('policy').orderBy('name').execute();
      return rows.flatMap(({ policy }) => (policy === null ? [] : [fromJsonText(policy)]));
    },
    listWaivers: () => listWaivers(sql),
    listScannedBefore: (scanner, beforeMs, limit) => listScannedBefore(sql, scanner, beforeMs, limit),
  };
}

async function findFacts(sql: MainSql, digest: Digest): Promise<Facts | undefined> {
  const seen = await sql.selectFrom('digests').selectAll().where('digest', '=', digest).executeTakeFirst();
  if (!seen) return undefined;
  const own = await selectFindings(sql)
    .where('findings.digest', '=', digest)
    .orderBy('findings.scanner')
    .orderBy('findings.position')
    .execute();
  return {
    digest,
    kind: seen.kind,
    firstSeenAtMs: seen.first_seen_at_ms,
    ...optional('createdAtMs', seen.created_at_ms),
    scans: await listScans(sql, digest),
    findings: distinct([...own, ...(await findingsInItsBlobs(sql, digest))].map(toFinding)),
  };
}

/**
 * What scans of other manifests found in blobs that this one names. Only what is bad by lying there counts: a
 * vulnerable package or a wrong file mode in a layer may be mended by a later layer of this image.
 */
function findingsInItsBlobs(sql: MainSql, digest: Digest): Promise<readonly FindingRow[]> {
  return (
    selectFindings(sql)
      .innerJoin('manifest_blobs', 'manifest_blobs.blob', 'findings.blob')
      .where('manifest_blobs.manifest', '=', digest)
      // Who names a layer that lies elsewhere need not hold it, and must not learn what was found in it.
      .where('manifest_blobs.place', '!=', 'elsewhere')
      .where('findings.digest', '!=', digest)
      .where('findings.kind', 'in', ['secret', 'malware'])
      .orderBy('findings.blob')
      .orderBy('findings.scanner')
      .orderBy('findings.finding')
      .distinct()
      .execute()
  );
}

function selectFindings(sql: MainSql) {
  return sql
    .selectFrom('findings')
    .select([
      'findings.kind',
      'findings.finding',
      'findings.severity',
      'findings.title',
      'findings.scanner',
      'findings.location',
      'findings.blob',
      'findings.package',
      'findings.installed_version',
      'findings.fixed_version',
    ]);
}

type FindingRow = Omit<FindingsTable, 'digest' | 'position'>;

function toFinding(row: FindingRow): Finding {
  return {
    kind: row.kind,
    id: row.finding,
    severity: row.severity,
    title: row.title,
    by: row.scanner,
    ...optional('location', row.location),
    ...optional('blob', row.blob),
    ...optional('package', row.package),
    ...optional('installedVersion', row.installed_version),
    ...optional('fixedVersion', row.fixed_version),
  };
}

function distinct(findings: readonly Finding[]): readonly Finding[] {
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()];
}

async function listScans(sql: MainSql, digest: Digest): Promise<readonly Scan[]> {
  const rows = await sql
    .selectFrom('scans')
    .selectAll()
    .where('digest', '=', digest)
    .orderBy('scanner')
    .execute();
  return rows.map((row) => ({
    by: row.scanner,
    atMs: row.at_ms,
    version: row.version,
    status: row.status,
    ...optional('reason', row.reason),
  }));
}

async function listWaivers(sql: MainSql): Promise<readonly Waiver[]> {
  const rows = await sql.selectFrom('waivers').selectAll().orderBy('id').execute();
  return rows.map((row) => ({
    id: row.id,
    finding: row.finding,
    ...optional('digest', row.digest),
    ...optional('pattern', row.pattern),
    reason: row.reason,
    author: row.author,
    endsAtMs: row.ends_at_ms,
  }));
}

/** What no repository holds any more is not scanned again. */
function listScannedBefore(
  sql: MainSql,
  scanner: string,
  beforeMs: number,
  limit: number,
): ReturnType<FactReads['listScannedBefore']> {
  return sql
    .selectFrom('scans')
    .innerJoin('repository_manifests', 'repository_manifests.digest', 'scans.digest')
    .select(({ fn }) => ['scans.digest', fn.min('repository_manifests.repository').as('repository')])
    .where('scans.scanner', '=', scanner)
    .where('scans.at_ms', '<', beforeMs)
    .groupBy(['scans.at_ms', 'scans.digest'])
    .orderBy('scans.at_ms')
    .orderBy('scans.digest')
    .limit(clampLimit(limit))
    .execute()
    .then((rows) => rows.map(({ digest, repository }) => ({ repository, digest })));
}
