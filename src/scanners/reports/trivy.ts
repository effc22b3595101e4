import * as z from 'zod';
import type { Finding } from '../../policy/index.ts';
import { type Content, finding, toPackage, toSeverity } from './report.ts';

const text = z.string().optional();
const score = z.object({
  V2Score: z.number().optional(),
  V3Score: z.number().optional(),
  V40Score: z.number().optional(),
});
const vulnerability = z.object({
  VulnerabilityID: z.string().min(1),
  PkgName: text,
  PkgPath: text,
  InstalledVersion: text,
  FixedVersion: text,
  Severity: text,
  SeveritySource: text,
  Title: text,
  PublishedDate: text,
  CVSS: z.record(z.string(), score).optional(),
});
const misconfiguration = z.object({ ID: z.string().min(1), Title: text, Severity: text, Status: text });
const secret = z.object({ RuleID: z.string().min(1), Title: text, Severity: text });
const result = z.object({
  Target: text,
  Class: text,
  Packages: z
    .array(z.object({ Name: z.string(), Version: text, Licenses: z.array(z.string()).optional() }))
    .optional(),
  Vulnerabilities: z.array(vulnerability).optional(),
  Misconfigurations: z.array(misconfiguration).optional(),
  Secrets: z.array(secret).optional(),
});
const shape = z.object({
  SchemaVersion: z.literal(2),
  CreatedAt: text,
  ArtifactName: text,
  Trivy: z.object({ Version: text }).optional(),
  Metadata: z
    .object({
      OS: z.object({ Family: text, Name: text, EOSL: z.boolean().optional() }).optional(),
      ImageID: text,
      RepoDigests: z.array(z.string()).optional(),
    })
    .optional(),
  Results: z.array(result).nullish(),
});

/**
 * `trivy image --format json`. A report without any packages may mean that Trivy does not know the distribution, not
 * that nothing was found, so it counts as not scanned.
 *
 * @see aquasecurity/trivy: pkg/types/report.go; aquasecurity/trivy#8256
 */
export function readTrivy(json: unknown, by: string): Content {
  const { CreatedAt, Trivy, Metadata, Results } = shape.parse(json);
  const results = Results ?? [];
  const isLookedAt = results.some((one) => one.Class === 'os-pkgs' || one.Class === 'lang-pkgs');
  const packages = results.flatMap((one) => one.Packages ?? []);
  const { Family, Name, EOSL } = Metadata?.OS ?? {};
  return {
    tool: `trivy ${Trivy?.Version ?? ''}`.trim(),
    subjects: [Metadata?.ImageID, ...(Metadata?.RepoDigests ?? [])],
    madeAt: CreatedAt,
    findings: [
      ...results.flatMap((one) => findingsOf(one, by)),
      ...(EOSL ? [endOfLife(`${Family ?? ''} ${Name ?? ''}`.trim(), by)] : []),
    ],
    ...(results.some((one) => one.Packages)
      ? { packages: packages.map((one) => toPackage(one.Name, one.Version, one.Licenses)) }
      : {}),
    ...(isLookedAt ? {} : { unscannable: 'Trivy found no packages and no operating system that it knows' }),
  };
}

function findingsOf(one: z.output<typeof result>, by: string): readonly Finding[] {
  const location = one.Target;
  return [
    ...(one.Vulnerabilities ?? []).map((found) =>
      finding({
        kind: 'vulnerability',
        id: found.VulnerabilityID,
        severity: toSeverity(found.Severity),
        title: found.Title ?? `${found.VulnerabilityID} in ${found.PkgName ?? location ?? 'the image'}`,
        by,
        location: found.PkgPath ?? location,
        package: found.PkgName,
        installedVersion: found.InstalledVersion,
        fixedVersion: found.FixedVersion,
        cvss: scoreOf(found),
        publishedAt: found.PublishedDate,
      }),
    ),
    ...(one.Misconfigurations ?? [])
      .filter(({ Status }) => Status === undefined || Status === 'FAIL')
      .map((found) =>
        finding({
          kind: 'misconfiguration',
          id: found.ID,
          severity: toSeverity(found.Severity),
          title: found.Title ?? found.ID,
          by,
          location,
        }),
      ),
    ...(one.Secrets ?? []).map((found) =>
      finding({
        kind: 'secret',
        id: found.RuleID,
        severity: toSeverity(found.Severity),
        title: found.Title ?? found.RuleID,
        by,
        location,
      }),
    ),
  ];
}

/** The newest version of CVSS, of NVD or else of whoever gave the severity; the highest where neither scored. */
function scoreOf({ CVSS, SeveritySource }: z.output<typeof vulnerability>): number | undefined {
  if (!CVSS) return undefined;
  const newest = (one: z.output<typeof score> | undefined) => one?.V40Score ?? one?.V3Score ?? one?.V2Score;
  const scores = Object.values(CVSS).flatMap((one) => newest(one) ?? []);
  return (
    newest(CVSS.nvd) ??
    newest(CVSS[SeveritySource ?? '']) ??
    (scores.length > 0 ? Math.max(...scores) : undefined)
  );
}

function endOfLife(name: string, by: string): Finding {
  const title = `${name} gets no security updates any more: build on a newer base image`;
  return finding({ kind: 'misconfiguration', id: 'os-end-of-life', severity: 'high', title, by });
}
