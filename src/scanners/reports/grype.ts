import * as z from 'zod';
import type { Finding } from '../../policy/index.ts';
import { type Content, finding, toSeverity } from './report.ts';

const text = z.string().optional();
const match = z.object({
  vulnerability: z.object({
    id: z.string().min(1),
    severity: text,
    description: text,
    cvss: z
      .array(z.object({ version: text, metrics: z.object({ baseScore: z.number().optional() }).optional() }))
      .nullish(),
    fix: z.object({ versions: z.array(z.string()).nullish(), state: text }).optional(),
    epss: z.array(z.object({ epss: z.number().optional() })).nullish(),
    knownExploited: z.array(z.object({})).nullish(),
  }),
  relatedVulnerabilities: z.array(z.object({ id: z.string() })).nullish(),
  artifact: z.object({
    name: z.string(),
    version: text,
    locations: z.array(z.object({ path: text })).nullish(),
  }),
});
const image = z.object({
  userInput: text,
  imageID: text,
  manifestDigest: text,
  repoDigests: z.array(z.string()).nullish(),
});
const shape = z.object({
  matches: z.array(match),
  source: z.object({
    type: text,
    // Of a folder it is a text, and names no image.
    target: z.union([z.string(), image]).optional(),
  }),
  descriptor: z.object({ name: z.literal('grype'), version: text, timestamp: text }),
});

/**
 * `grype -o json`. What Grype was told to ignore is not looked at: exceptions are made here, by waivers.
 *
 * @see anchore/grype: grype/presenter/models
 */
export function readGrype(json: unknown, by: string): Content {
  const { matches, source, descriptor } = shape.parse(json);
  const { target } = source;
  const about = typeof target === 'object' ? target : undefined;
  return {
    tool: `grype ${descriptor.version ?? ''}`.trim(),
    subjects: [about?.imageID, about?.manifestDigest, ...(about?.repoDigests ?? [])],
    madeAt: descriptor.timestamp,
    findings: matches.map((one) => toFinding(one, by)),
  };
}

function toFinding(
  { vulnerability, relatedVulnerabilities, artifact }: z.output<typeof match>,
  by: string,
): Finding {
  const cve = (relatedVulnerabilities ?? []).find(({ id }) => id.startsWith('CVE-'))?.id;
  // Waivers and people speak of CVE names; an advisory without one keeps its own.
  const id = vulnerability.id.startsWith('CVE-') ? vulnerability.id : (cve ?? vulnerability.id);
  const scores = (vulnerability.cvss ?? []).toSorted(
    (a, b) => Number(b.version ?? 0) - Number(a.version ?? 0),
  );
  return finding({
    kind: 'vulnerability',
    id,
    severity: toSeverity(vulnerability.severity),
    title: vulnerability.description ?? `${id} in ${artifact.name}`,
    by,
    location: artifact.locations?.[0]?.path,
    package: artifact.name,
    installedVersion: artifact.version,
    fixedVersion: vulnerability.fix?.state === 'fixed' ? vulnerability.fix.versions?.join(', ') : undefined,
    cvss: scores[0]?.metrics?.baseScore,
    epss: vulnerability.epss?.[0]?.epss,
    isExploited: (vulnerability.knownExploited ?? []).length > 0,
  });
}
