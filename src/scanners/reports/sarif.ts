import * as z from 'zod';
import type { Finding, FindingKind, Severity } from '../../policy/index.ts';
import { type Content, finding, severityOfScore } from './report.ts';

const text = z.string().optional();
const rule = z.object({
  id: z.string().min(1),
  shortDescription: z.object({ text }).optional(),
  properties: z
    .object({
      'security-severity': z.union([z.string(), z.number()]).optional(),
      tags: z.array(z.string()).optional(),
    })
    .optional(),
});
const result = z.object({
  ruleId: text,
  ruleIndex: z.int().optional(),
  level: text,
  message: z.object({ text }).optional(),
  locations: z
    .array(
      z.object({
        physicalLocation: z.object({ artifactLocation: z.object({ uri: text }).optional() }).optional(),
      }),
    )
    .optional(),
});
const run = z.object({
  tool: z.object({
    driver: z.object({ name: z.string(), version: text, rules: z.array(rule).optional() }),
  }),
  results: z.array(result),
  properties: z
    .object({ imageID: text, imageName: text, repoDigests: z.array(z.string()).optional() })
    .optional(),
  invocations: z.array(z.object({ executionSuccessful: z.boolean(), endTimeUtc: text })).optional(),
});
const shape = z.object({ version: z.literal('2.1.0'), runs: z.array(run).min(1) });

/**
 * SARIF of any tool. Severity comes from the rule's `security-severity`, since a result's `level` folds several into
 * one; what was suppressed by the tool counts all the same: exceptions are made here, by waivers.
 *
 * @see OASIS SARIF 2.1.0, 3.14 run, 3.27 result
 */
export function readSarif(json: unknown, by: string): Content {
  const { runs } = shape.parse(json);
  const hasFailed = runs.some(({ invocations }) => invocations?.some((one) => !one.executionSuccessful));
  return {
    tool: runs.map(({ tool }) => `${tool.driver.name} ${tool.driver.version ?? ''}`.trim()).join(', '),
    subjects: runs.flatMap(({ properties }) => [
      properties?.imageID,
      properties?.imageName,
      ...(properties?.repoDigests ?? []),
    ]),
    madeAt: runs[0]?.invocations?.[0]?.endTimeUtc,
    findings: runs.flatMap((one) => one.results.map((found) => toFinding(found, one, by))),
    ...(hasFailed ? { unscannable: 'the tool says that it did not succeed' } : {}),
  };
}

function toFinding(found: z.output<typeof result>, { tool }: z.output<typeof run>, by: string): Finding {
  const rules = tool.driver.rules ?? [];
  const known = rules.find(({ id }) => id === found.ruleId) ?? rules[found.ruleIndex ?? -1];
  const id = found.ruleId ?? known?.id ?? 'unnamed';
  return finding({
    kind: kindOf(known?.properties?.tags ?? []),
    id,
    severity: severityOf(found, known),
    title: known?.shortDescription?.text ?? found.message?.text ?? id,
    by,
    location: found.locations?.[0]?.physicalLocation?.artifactLocation?.uri,
  });
}

function kindOf(tags: readonly string[]): FindingKind {
  const words = tags.map((tag) => tag.toLowerCase());
  return (
    (['secret', 'malware', 'misconfiguration'] as const).find((kind) => words.includes(kind)) ??
    'vulnerability'
  );
}

/** What the tool leaves open ranks by `level`; of `error` nobody knows whether it is critical. */
function severityOf({ level }: z.output<typeof result>, known: z.output<typeof rule> | undefined): Severity {
  const score = Number(known?.properties?.['security-severity'] ?? Number.NaN);
  if (!Number.isNaN(score)) return severityOfScore(score);
  const byLevel: Readonly<Record<string, Severity>> = { none: 'negligible', note: 'low', warning: 'medium' };
  return byLevel[level ?? 'warning'] ?? 'critical';
}
