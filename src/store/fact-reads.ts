import type { Digest, Repository } from '../oci/index.ts';
import { type Facts, type Finding, type Scan, type Waiver, withFeedWords } from '../policy/index.ts';
import type { FactReads, PolicyVersion } from '../verdicts/index.ts';
import { findExposed } from './exposure.ts';
import { findFeedWords, listFeeds } from './feed-reads.ts';
import { fromJsonText } from './json-text.ts';
import { countScanned, listScannedBefore, listScannedByOther } from './rescans.ts';
import { inChunks, optional } from './rows.ts';
import { findPackages, listSboms } from './sboms.ts';
import type { FindingsTable, MainSql } from './tables.ts';
import { snapshot } from './transactions.ts';

export function createFactReads(sql: MainSql): FactReads {
  return {
    findFacts: (digest, repository, wants) =>
      snapshot(sql, (now) => findFacts(now, digest, { repository, wants })),
    listFeeds: () => snapshot(sql, listFeeds),
    listSboms: (digest) => listSboms(sql, digest),
    listDenied: () => listDenied(sql),
    async listPolicies() {
      const rows = await sql.selectFrom('policies').select('policy').orderBy('name').execute();
      return rows.flatMap(({ policy }) => (policy === null ? [] : [fromJsonText(policy)]));
    },
    listPolicyVersions: (name) => listPolicyVersions(sql, name),
    listWaivers: () => listWaivers(sql),
    findExposed: (bad) => snapshot(sql, (now) => findExposed(now, bad)),
    listScannedBefore: (scanner, beforeMs, limit) => listScannedBefore(sql, scanner, beforeMs, limit),
    listScannedByOther: (scanner, version, asked) => listScannedByOther(sql, scanner, version, asked),
    countScanned: (scanner, version) => countScanned(sql, scanner, version),
  };
}

async function findFacts(
  sql: MainSql,
  digest: Digest,
  asked: {
    readonly repository: Repository | undefined;
    readonly wants: Parameters<FactReads['findFacts']>[2];
  },
): Promise<Facts | undefined> {
  const seen = await sql.selectFrom('digests').selectAll().where('digest', '=', digest).executeTakeFirst();
  if (!seen) return undefined;
  const { repository, wants } = asked;
  const packages = wants?.packages ? await findPackages(sql, digest) : undefined;
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
    ...optional('baseCreatedAtMs', seen.base_created_at_ms),
    ...optional('supersededAtMs', repository ? await findSupersededAtMs(sql, repository, digest) : null),
    ...optional('denied', await findDenied(sql, digest)),
    ...(await findShape(sql, digest)),
    ...(packages ? { packages } : {}),
    scans: await listScans(sql, digest),
    ...(await withFeeds(
      sql,
      distinct([...own, ...(await findingsInItsBlobs(sql, digest))].map(toFinding)),
      wants?.feeds === true,
    )),
  };
}

/** Of the generation that is in force in this snapshot, so that no score is missed while another takes its place. */
async function withFeeds(
  sql: MainSql,
  findings: readonly Finding[],
  isWanted: boolean,
): Promise<Pick<Facts, 'findings' | 'feeds'>> {
  if (!isWanted) return { findings };
  const ids = findings.flatMap(({ kind, id }) => (kind === 'vulnerability' ? [id] : []));
  const { feeds, words } = await findFeedWords(sql, [...new Set(ids)]);
  return { findings: withFeedWords(findings, words), feeds };
}

async function findShape(sql: MainSql, digest: Digest): Promise<Partial<Facts>> {
  const row = await sql
    .selectFrom('manifests')
    .select(['artifact_type', 'content_size', 'layer_count', 'media_types'])
    .where('digest', '=', digest)
    .executeTakeFirst();
  if (!row) return {};
  return {
    ...optional('artifactType', row.artifact_type),
    ...optional('sizeBytes', row.content_size),
    ...optional('layerCount', row.layer_count),
    ...optional('mediaTypes', row.media_types && fromJsonText(row.media_types)),
  };
}

/** Itself, or a blob that it names: an image that carries a denied layer is as bad as the layer. */
async function findDenied(sql: MainSql, digest: Digest): Promise<string | null> {
  const named = sql.selectFrom('manifest_blobs').select('blob').where('manifest', '=', digest);
  const row = await sql
    .selectFrom('denied_digests')
    .select('reason')
    .where(({ or, eb }) => or([eb('digest', '=', digest), eb('digest', 'in', named)]))
    .orderBy('digest')
    .executeTakeFirst();
  return row?.reason ?? null;
}

async function listDenied(sql: MainSql): ReturnType<FactReads['listDenied']> {
  const rows = await sql.selectFrom('denied_digests').selectAll().orderBy('digest').execute();
  return rows.map(({ digest, reason, author, at_ms }) => ({ digest, reason, author, atMs: at_ms }));
}

/** The last time that a tag was taken from it, or from an index that lists it; null while a tag leads to either. */
async function findSupersededAtMs(
  sql: MainSql,
  repository: Repository,
  digest: Digest,
): Promise<number | null> {
  const parents = await sql
    .selectFrom('manifest_children')
    .select('manifest')
    .where('child', '=', digest)
    .execute();
  const leading = [digest, ...parents.map((row) => row.manifest)];
  let atMs: number | null = null;
  for (const chunk of inChunks(leading)) {
    const tag = await sql
      .selectFrom('tags')
      .select('tag')
      .where('repository', '=', repository)
      .where('digest', 'in', chunk)
      .executeTakeFirst();
    if (tag) return null;
    const lost = await sql
      .selectFrom('superseded')
      .select(({ fn }) => fn.max('at_ms').as('at_ms'))
      .where('repository', '=', repository)
      .where('digest', 'in', chunk)
      .executeTakeFirst();
    atMs = lost?.at_ms == null ? atMs : Math.max(atMs ?? 0, Number(lost.at_ms));
  }
  return atMs;
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
      'findings.cvss',
      'findings.published_at_ms',
      'findings.epss',
      'findings.is_exploited',
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
    ...optional('cvss', row.cvss),
    ...optional('publishedAtMs', row.published_at_ms),
    ...optional('epss', row.epss),
    ...(row.is_exploited === 1 ? { isExploited: true as const } : {}),
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
    ...optional('author', row.author),
  }));
}

async function listPolicyVersions(sql: MainSql, name: string): Promise<readonly PolicyVersion[]> {
  const rows = await sql
    .selectFrom('policy_versions')
    .selectAll()
    .where('name', '=', name)
    .orderBy('version', 'desc')
    .execute();
  return rows.map((row) => ({
    name: row.name,
    version: row.version,
    atMs: row.at_ms,
    author: row.author,
    ...optional('policy', row.policy && fromJsonText(row.policy)),
  }));
}

async function listWaivers(sql: MainSql): Promise<readonly Waiver[]> {
  const rows = await sql.selectFrom('waivers').selectAll().orderBy('id').execute();
  return rows.map((row) => ({
    id: row.id,
    ...optional('finding', row.finding),
    ...optional('rule', row.rule),
    ...optional('package', row.package),
    ...optional('digest', row.digest),
    ...optional('pattern', row.pattern),
    reason: row.reason,
    ...optional('ticket', row.ticket),
    author: row.author,
    ...optional('approvedBy', row.approved_by),
    endsAtMs: row.ends_at_ms,
  }));
}
