import type { Digest } from '../oci/index.ts';
import type { Package } from '../policy/index.ts';
import type { Sbom, SbomDocument, ScanReport } from '../verdicts/index.ts';
import { fromJsonText, toJsonText } from './json-text.ts';
import type { MainSql } from './tables.ts';

/** Keeps what came with the report; its scan is there already. */
export async function saveSbom(sql: MainSql, { digest, scan }: ScanReport, sbom: Sbom): Promise<void> {
  await sql
    .insertInto('sboms')
    .values({
      digest,
      scanner: scan.by,
      format: sbom.format,
      document: sbom.document?.digest ?? null,
      document_size: sbom.document?.size ?? null,
      packages: toJsonText(sbom.packages),
    })
    .execute();
}

/** Of every list there is of the digest; `undefined` when there is none. What only one of them knows counts. */
export async function findPackages(sql: MainSql, digest: Digest): Promise<readonly Package[] | undefined> {
  const rows = await sql
    .selectFrom('sboms')
    .select('packages')
    .where('digest', '=', digest)
    .orderBy('scanner')
    .execute();
  return rows.length === 0 ? undefined : rows.flatMap(({ packages }) => fromJsonText(packages));
}

export async function listSboms(sql: MainSql, digest: Digest): Promise<readonly SbomDocument[]> {
  const rows = await sql
    .selectFrom('sboms')
    .innerJoin('scans', (join) =>
      join.onRef('scans.digest', '=', 'sboms.digest').onRef('scans.scanner', '=', 'sboms.scanner'),
    )
    .select(['sboms.scanner', 'sboms.format', 'sboms.document', 'sboms.document_size', 'scans.at_ms'])
    .where('sboms.digest', '=', digest)
    .orderBy('scans.at_ms', 'desc')
    .orderBy('sboms.scanner')
    .execute();
  return rows.flatMap(({ scanner, format, document, document_size, at_ms }) =>
    document === null || document_size === null || format === 'trivy'
      ? []
      : [{ by: scanner, format, atMs: at_ms, digest: document, size: document_size }],
  );
}

/** Documents of images that some repository holds: they are not garbage. */
export function documentsInUse(sql: MainSql, documents: readonly Digest[]) {
  return sql
    .selectFrom('sboms')
    .innerJoin('repository_manifests', 'repository_manifests.digest', 'sboms.digest')
    .select('sboms.document as digest')
    .where('sboms.document', 'in', documents);
}
