import type { Clock } from '../base/index.ts';
import type { Digest, ManifestKind } from '../oci/index.ts';
import type { Policy } from '../policy/index.ts';
import type { FactWrites, ScanReport } from '../verdicts/index.ts';
import { denyDigest, undenyDigest } from './denied-digests.ts';
import { StoreConflict } from './faults.ts';
import { addWaiver, putPolicy, removePolicy, replaceConfigPolicies } from './policy-writes.ts';
import { inChunks } from './rows.ts';
import { saveSbom } from './sboms.ts';
import type { MainSql, MainTables } from './tables.ts';
import type { Changed, Write } from './transactions.ts';
import { noteScan } from './webhook-news.ts';

/** What only the process that reads the configuration does. */
export interface ConfigPolicyWrites {
  /** Makes the policies of the configuration file exactly these; policies of other owners stay. */
  replaceConfigPolicies(policies: readonly Policy[]): Promise<void>;
}

export function createFactWrites(
  write: Write<MainTables>,
  clock: Clock,
  { notesScans = false }: { readonly notesScans?: boolean } = {},
): FactWrites & ConfigPolicyWrites {
  return {
    seeDigest: (digest, kind, firstSeenAtMs) =>
      write((sql, changed) => seeDigest(sql, { digest, kind, firstSeenAtMs }, changed)),
    saveReport: (report) =>
      write(async (sql, changed) => {
        await saveReport(sql, report, changed);
        if (notesScans) await noteScan(sql, report);
      }),
    putPolicy: (policy, owner, author = owner) =>
      write((sql, changed) => putPolicy(sql, policy, { owner, author, atMs: clock.nowMs() }, changed)),
    removePolicy: (name, author = 'api') =>
      write((sql, changed) => removePolicy(sql, name, { author, atMs: clock.nowMs() }, changed)),
    replaceConfigPolicies: (policies) =>
      write((sql, changed) => replaceConfigPolicies(sql, policies, clock.nowMs(), changed)),
    denyDigest: (denied) => write((sql, changed) => denyDigest(sql, denied, changed)),
    undenyDigest: (digest) => write((sql, changed) => undenyDigest(sql, digest, changed)),
    addWaiver: (waiver) => write((sql, changed) => addWaiver(sql, waiver, changed)),
    approveWaiver: (id, approvedBy) =>
      write(async (sql, changed) => {
        const approved = await sql
          .updateTable('waivers')
          .set({ approved_by: approvedBy })
          .where('id', '=', id)
          .executeTakeFirst();
        if (approved.numUpdatedRows === 0n) return false;
        changed('policies');
        return true;
      }),
    removeWaiver: (id) =>
      write(async (sql, changed) => {
        const removed = await sql.deleteFrom('waivers').where('id', '=', id).executeTakeFirst();
        if (removed.numDeletedRows === 0n) return false;
        changed('policies');
        return true;
      }),
  };
}

async function seeDigest(
  sql: MainSql,
  seen: { readonly digest: Digest; readonly kind: ManifestKind; readonly firstSeenAtMs: number },
  changed: Changed,
): Promise<void> {
  const inserted = await sql
    .insertInto('digests')
    .values({
      digest: seen.digest,
      kind: seen.kind,
      first_seen_at_ms: seen.firstSeenAtMs,
      created_at_ms: null,
      base_created_at_ms: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (inserted.numInsertedOrUpdatedRows) changed('facts', seen.digest);
}

/** What was found in a blob counts for every manifest that names it, so their verdicts go too. */
async function saveReport(sql: MainSql, report: ScanReport, changed: Changed): Promise<void> {
  await requireSeen(sql, report.digest);
  for (const digest of await manifestsSharing(sql, report)) changed('facts', digest);
  await replaceScan(sql, report);
  if (report.sbom) await saveSbom(sql, report, report.sbom);
  for (const digest of await manifestsSharing(sql, report)) changed('facts', digest);
  const { createdAtMs, baseCreatedAtMs } = report;
  if (createdAtMs !== undefined || baseCreatedAtMs !== undefined) {
    await sql
      .updateTable('digests')
      .set({
        ...(createdAtMs === undefined ? {} : { created_at_ms: createdAtMs }),
        ...(baseCreatedAtMs === undefined ? {} : { base_created_at_ms: baseCreatedAtMs }),
      })
      .where('digest', '=', report.digest)
      .execute();
  }
  changed('facts', report.digest);
}

async function requireSeen(sql: MainSql, digest: Digest): Promise<void> {
  const seen = await sql
    .selectFrom('digests')
    .select('digest')
    .where('digest', '=', digest)
    .executeTakeFirst();
  if (!seen) {
    throw new StoreConflict(
      'unknown',
      'a report about a digest that was never seen: see it first, then scan',
    );
  }
}

/** Manifests that name a blob in which this scanner, scanning this digest, found something. */
async function manifestsSharing(sql: MainSql, { digest, scan }: ScanReport): Promise<readonly Digest[]> {
  const rows = await sql
    .selectFrom('findings')
    .innerJoin('manifest_blobs', 'manifest_blobs.blob', 'findings.blob')
    .select('manifest_blobs.manifest')
    .distinct()
    .where('findings.digest', '=', digest)
    .where('findings.scanner', '=', scan.by)
    .where('findings.kind', 'in', ['secret', 'malware'])
    .execute();
  return rows.map((row) => row.manifest);
}

async function replaceScan(sql: MainSql, { digest, scan, findings }: ScanReport): Promise<void> {
  await sql.deleteFrom('scans').where('digest', '=', digest).where('scanner', '=', scan.by).execute();
  await sql
    .insertInto('scans')
    .values({
      digest,
      scanner: scan.by,
      at_ms: scan.atMs,
      version: scan.version,
      status: scan.status,
      reason: scan.reason ?? null,
      author: scan.author ?? null,
    })
    .execute();
  const rows = findings.map((finding, position) => ({
    digest,
    scanner: scan.by,
    position,
    kind: finding.kind,
    finding: finding.id,
    severity: finding.severity,
    title: finding.title,
    location: finding.location ?? null,
    blob: finding.blob ?? null,
    package: finding.package ?? null,
    installed_version: finding.installedVersion ?? null,
    fixed_version: finding.fixedVersion ?? null,
    cvss: finding.cvss ?? null,
    published_at_ms: finding.publishedAtMs ?? null,
    epss: finding.epss ?? null,
    is_exploited: finding.isExploited ? (1 as const) : null,
  }));
  for (const chunk of inChunks(rows)) await sql.insertInto('findings').values(chunk).execute();
}
