import * as z from 'zod';
import type { Finding, Package } from '../../policy/index.ts';
import { type Content, finding, severityOfScore, toPackage, toSeverity } from './report.ts';

const text = z.string().optional();
const license = z.object({
  license: z.object({ id: text, name: text }).optional(),
  expression: text,
});
const named = z.object({
  'bom-ref': text,
  name: z.string(),
  group: text,
  version: text,
  purl: text,
  licenses: z.array(license).optional(),
  properties: z.array(z.object({ name: z.string(), value: text })).optional(),
  hashes: z.array(z.object({ alg: z.string(), content: z.string() })).optional(),
});
type Named = z.output<typeof named> & { readonly components?: readonly Named[] | undefined };
/** Components may hold components; how deep was limited before. */
const component: z.ZodType<Named> = named.extend({
  get components() {
    return z.array(component).optional();
  },
});
const vulnerability = z.object({
  id: z.string().min(1),
  description: text,
  published: text,
  ratings: z.array(z.object({ score: z.number().optional(), severity: text })).optional(),
  affects: z.array(z.object({ ref: text })).optional(),
});
const tool = z.object({ name: text, version: text });
const shape = z.object({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.string(),
  metadata: z
    .object({
      timestamp: text,
      tools: z.union([z.array(tool), z.object({ components: z.array(tool).optional() })]).optional(),
      component: component.optional(),
    })
    .optional(),
  components: z.array(component).optional(),
  vulnerabilities: z.array(vulnerability).optional(),
});

/** CycloneDX 1.4 to 1.6 in JSON. @see cyclonedx.org: JSON reference */
export function readCycloneDx(json: unknown, by: string): Content {
  const { metadata, components, vulnerabilities } = shape.parse(json);
  const tools = metadata?.tools;
  const made = (Array.isArray(tools) ? tools : (tools?.components ?? []))[0];
  const about = metadata?.component;
  const all = flatten(components ?? []);
  const byRef = new Map(all.map((one) => [one['bom-ref'], one]));
  return {
    tool: `${made?.name ?? 'unknown'} ${made?.version ?? ''}`.trim(),
    subjects: about
      ? [
          ...[about.name, about.version, about.purl, about['bom-ref']],
          ...(about.properties ?? []).map(({ value }) => value),
          ...(about.hashes ?? [])
            .filter(({ alg }) => alg === 'SHA-256')
            .map((one) => `sha256:${one.content}`),
        ]
      : [],
    madeAt: metadata?.timestamp,
    packages: all.map(asPackage),
    findings: (vulnerabilities ?? []).flatMap((one) => findingsOf(one, byRef, by)),
  };
}

function flatten(components: readonly Named[]): readonly Named[] {
  return components.flatMap((one) => [one, ...flatten(one.components ?? [])]);
}

function asPackage({ name, group, version, licenses }: Named): Package {
  const stated = (licenses ?? []).map((one) => one.expression ?? one.license?.id ?? one.license?.name);
  return toPackage(group ? `${group}/${name}` : name, version, stated);
}

function findingsOf(
  { id, description, published, ratings, affects }: z.output<typeof vulnerability>,
  byRef: ReadonlyMap<string | undefined, Named>,
  by: string,
): readonly Finding[] {
  const scores = (ratings ?? []).flatMap(({ score }) => score ?? []);
  const cvss = scores.length > 0 ? Math.max(...scores) : undefined;
  const word = ratings?.find((rating) => rating.severity !== undefined)?.severity;
  const severity = word === undefined && cvss !== undefined ? severityOfScore(cvss) : toSeverity(word);
  const affected = affects && affects.length > 0 ? affects : [{ ref: undefined }];
  return affected.map(({ ref }) => {
    const found = ref === undefined ? undefined : byRef.get(ref);
    return finding({
      ...{ kind: 'vulnerability', id, severity, title: description ?? id, by },
      package: found?.name ?? ref,
      ...{ installedVersion: found?.version, cvss, publishedAt: published },
    });
  });
}
