import * as z from 'zod';
import type { Finding } from '../../policy/index.ts';
import { finding, severityOfScore, toSeverity } from '../reports/report.ts';

/** Media types of the API. @see goharbor/pluggable-scanner-spec: scanner-adapter-openapi-v1.2.yaml */
export const TYPES = {
  metadata:
    'application/vnd.scanner.adapter.metadata+json; version=1.1, application/vnd.scanner.adapter.metadata+json; version=1.0',
  request: 'application/vnd.scanner.adapter.scan.request+json; version=1.1',
  requestBefore: 'application/vnd.scanner.adapter.scan.request+json; version=1.0',
  response: 'application/vnd.scanner.adapter.scan.response+json; version=1.0',
} as const;

/** Reports that are read here, the better one first. */
const REPORT_TYPES = [
  'application/vnd.security.vulnerability.report; version=1.1',
  'application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0',
] as const;

const DATABASE = 'harbor.scanner-adapter/vulnerability-database-updated-at';

const capability = z.object({
  type: z.string().optional(),
  consumes_mime_types: z.array(z.string()),
  produces_mime_types: z.array(z.string()),
});
export const metadataShape = z.object({
  scanner: z.object({ name: z.string().optional(), version: z.string().optional() }),
  capabilities: z.array(capability),
  properties: z.record(z.string(), z.string()).optional(),
});
export type Metadata = z.output<typeof metadataShape>;

export const acceptedShape = z.object({ id: z.string().min(1).max(256) });

const score = z.number().nullish();
const item = z.object({
  id: z.string().min(1),
  package: z.string().optional(),
  version: z.string().optional(),
  fix_version: z.string().nullish(),
  severity: z.string().optional(),
  description: z.string().nullish(),
  preferred_cvss: z.object({ score_v3: score, score_v2: score }).nullish(),
});
export const reportShape = z.object({
  artifact: z.object({ digest: z.string().optional() }).optional(),
  vulnerabilities: z.array(item).nullish(),
});

/** `trivy 0.74.0, database of 2026-05-30T…`. */
export function versionOf({ scanner, properties }: Metadata): string {
  const program = `${scanner.name ?? ''} ${scanner.version ?? ''}`.trim();
  const database = properties?.[DATABASE];
  return (database === undefined ? program : `${program}, database of ${database}`).slice(0, 200);
}

/** The report to ask for; `undefined` when the adapter takes no such image or makes no report that we read. */
export function reportTypeFor({ capabilities }: Metadata, mediaType: string): string | undefined {
  const able = capabilities.filter(
    (one) => (one.type ?? 'vulnerability') === 'vulnerability' && one.consumes_mime_types.includes(mediaType),
  );
  const made = able.flatMap((one) => one.produces_mime_types.map(withoutSpaces));
  return REPORT_TYPES.find((type) => made.includes(withoutSpaces(type)));
}

/** Media types are compared without the space that some write before a parameter. */
export function withoutSpaces(type: string): string {
  return type.replaceAll(' ', '').toLowerCase();
}

export function findingsOf(
  { vulnerabilities }: z.output<typeof reportShape>,
  by: string,
): readonly Finding[] {
  return (vulnerabilities ?? []).map((one) => {
    const cvss = one.preferred_cvss?.score_v3 ?? one.preferred_cvss?.score_v2 ?? undefined;
    const severity =
      one.severity === undefined && cvss !== undefined ? severityOfScore(cvss) : toSeverity(one.severity);
    return finding({
      ...{ kind: 'vulnerability', id: one.id, severity, by, cvss },
      title: one.description ?? `${one.id} in ${one.package ?? 'the image'}`,
      package: one.package,
      installedVersion: one.version,
      fixedVersion: one.fix_version ?? undefined,
    });
  });
}
