import * as z from 'zod';
import { type Content, toPackage } from './report.ts';

const text = z.string().optional();
const element = z.object({
  SPDXID: z.string(),
  name: z.string(),
  versionInfo: text,
  licenseDeclared: text,
  licenseConcluded: text,
  primaryPackagePurpose: text,
  attributionTexts: z.array(z.string()).optional(),
  checksums: z.array(z.object({ algorithm: z.string(), checksumValue: z.string() })).optional(),
  externalRefs: z.array(z.object({ referenceLocator: text })).optional(),
});
const shape = z.object({
  spdxVersion: z.string().regex(/^SPDX-2\.\d+$/),
  name: text,
  creationInfo: z.object({ created: text, creators: z.array(z.string()).optional() }).optional(),
  documentDescribes: z.array(z.string()).optional(),
  packages: z.array(element).optional(),
  relationships: z
    .array(z.object({ spdxElementId: text, relatedSpdxElement: text, relationshipType: text }))
    .optional(),
});

/** SPDX 2.2 and 2.3 in JSON. @see spdx.github.io/spdx-spec/v2.3 */
export function readSpdx(json: unknown): Content {
  const { name, creationInfo, documentDescribes, packages, relationships } = shape.parse(json);
  const described = new Set([
    ...(documentDescribes ?? []),
    ...(relationships ?? [])
      .filter(({ relationshipType }) => relationshipType === 'DESCRIBES')
      .map(({ relatedSpdxElement }) => relatedSpdxElement ?? ''),
  ]);
  const isImage = (one: z.output<typeof element>) =>
    one.primaryPackagePurpose === 'CONTAINER' || described.has(one.SPDXID);
  const all = packages ?? [];
  return {
    tool:
      creationInfo?.creators?.find((one) => one.startsWith('Tool: '))?.slice('Tool: '.length) ?? 'unknown',
    subjects: [name, ...all.filter(isImage).flatMap(subjectsOf)],
    madeAt: creationInfo?.created,
    packages: all
      .filter((one) => !isImage(one))
      .map((one) => toPackage(one.name, one.versionInfo, [one.licenseDeclared, one.licenseConcluded])),
    findings: [],
  };
}

function subjectsOf(one: z.output<typeof element>): readonly (string | undefined)[] {
  return [
    ...[one.name, one.versionInfo],
    ...(one.attributionTexts ?? []),
    ...(one.checksums ?? [])
      .filter(({ algorithm }) => algorithm === 'SHA256')
      .map(({ checksumValue }) => `sha256:${checksumValue}`),
    ...(one.externalRefs ?? []).map(({ referenceLocator }) => referenceLocator),
  ];
}
