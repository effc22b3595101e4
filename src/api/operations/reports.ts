import { hash } from 'node:crypto';
import type * as z from 'zod';
import { MiB } from '../../base/index.ts';
import { type Digest, type Repository, shortDigest } from '../../oci/index.ts';
import type { PushedReport, Sbom } from '../../verdicts/index.ts';
import { pushedReportShape, pushReportShape, sbomQuery, sbomShape } from '../contract.ts';
import { ApiProblem, type OperationContext, operation } from '../operation.ts';
import { imageSubject, requireImage } from './images.ts';

/** A report of 16 MiB, as text in JSON with its quotes escaped. */
const BODY_BYTES_MAX = 40 * MiB;
const SBOM_BYTES_MAX = 32 * MiB;

/** Results of scanners that run elsewhere, and bills of materials. */
export const reportOperations = [
  operation({
    id: 'scan.push',
    method: 'post',
    path: '/image/reports',
    summary: 'Takes a scan result or SBOM of exactly this image: Trivy, Grype, SARIF, CycloneDX, SPDX',
    action: 'scan',
    input: pushReportShape,
    output: pushedReportShape,
    status: 201,
    bodyBytesMax: BODY_BYTES_MAX,
    subject: imageSubject,
    change: ({ report }) => ({ report: `sha256:${hash('sha256', report)}` }),
    run: pushReport,
  }),
  operation({
    id: 'image.sbom',
    method: 'get',
    path: '/image/sbom',
    summary: 'The newest SBOM of an image, byte for byte as it was pushed',
    action: 'verdict.read',
    input: sbomQuery,
    output: sbomShape,
    status: 200,
    subject: imageSubject,
    run: readSbom,
  }),
];

async function pushReport(
  input: z.infer<typeof pushReportShape>,
  context: OperationContext,
): Promise<z.infer<typeof pushedReportShape>> {
  const { parts, identity } = context;
  const { repository, digest } = await requireImage(input, context);
  const image = await parts.reports.readImage(repository, digest);
  if (image?.kind === 'index') {
    throw new ApiProblem(400, 'DG_INPUT_INVALID', 'this is an index: name one of its images by its digest');
  }
  const read = parts.reports.read(input.report);
  if (!read.ok) throw new ApiProblem(400, 'DG_REPORT_INVALID', read.problem);
  const { report } = read;
  requireSubject(report, [digest, ...(image?.config ? [image.config] : [])]);
  const nowMs = parts.clock.nowMs();
  await parts.facts.seeDigest(digest, image?.kind ?? 'image', nowMs);
  const sbom =
    report.packages && (await keepSbom({ ...report, packages: report.packages }, input.report, parts));
  await parts.facts.saveReport({
    digest,
    scan: {
      by: report.by,
      // As old as what it says: an old result that is pushed again does not become young.
      atMs: Math.min(nowMs, report.madeAtMs ?? nowMs),
      version: report.tool,
      author: identity.principal.name,
      ...(report.unscannable === undefined
        ? { status: 'done' }
        : { status: 'unscannable', reason: report.unscannable }),
    },
    findings: report.findings,
    ...(sbom ? { sbom } : {}),
  });
  const isAttached = sbom?.document
    ? await attach({ repository, digest, document: sbom.document.digest }, report, input.report, context)
    : false;
  return {
    ...{ digest, by: report.by, tool: report.tool, findings: report.findings.length },
    ...(report.packages ? { packages: report.packages.length } : {}),
    isAttached,
  };
}

/** @throws {ApiProblem} the report is about another image, or does not say about which. */
function requireSubject({ subjects }: PushedReport, digests: readonly Digest[]): void {
  if (subjects.some((subject) => digests.includes(subject))) return;
  const about = subjects.slice(0, 3).map(shortDigest).join(', ');
  throw new ApiProblem(
    409,
    'DG_REPORT_SUBJECT',
    about === ''
      ? 'the report names no image by digest: scan it by digest, or as it lies in a registry'
      : `the report is about another image (${about}): scan and push for the same digest`,
  );
}

const SBOM_TYPES = {
  cyclonedx: 'application/vnd.cyclonedx+json',
  spdx: 'application/spdx+json',
} as const;

function isSbomFormat(format: PushedReport['format']): format is keyof typeof SBOM_TYPES {
  return format in SBOM_TYPES;
}

async function keepSbom(
  { format, packages }: Pick<PushedReport, 'format'> & Pick<Sbom, 'packages'>,
  text: string,
  { content }: OperationContext['parts'],
): Promise<Sbom> {
  if (!isSbomFormat(format)) return { format: 'trivy', packages };
  const bytes = Buffer.from(text);
  const digest = digestOf(bytes);
  await content.put(digest, bytes);
  return { format, packages, document: { digest, size: bytes.length } };
}

function digestOf(bytes: Uint8Array): Digest {
  // A hash in hex is a digest by its form.
  return `sha256:${hash('sha256', bytes)}` as Digest;
}

async function attach(
  at: { readonly repository: Repository; readonly digest: Digest; readonly document: Digest },
  { format }: PushedReport,
  text: string,
  { parts, identity }: OperationContext,
): Promise<boolean> {
  const { repository, digest } = at;
  const mayAttach = await parts.directory.can(identity, 'referrers.push', repository);
  if (!isSbomFormat(format) || !mayAttach.isAllowed) return false;
  const artifact = { artifactType: SBOM_TYPES[format], digest: at.document, size: Buffer.byteLength(text) };
  return parts.reports.attach(repository, digest, artifact, identity.principal.id);
}

async function readSbom(
  input: z.infer<typeof sbomQuery>,
  context: OperationContext,
): Promise<z.infer<typeof sbomShape>> {
  const { digest } = await requireImage(input, context);
  const { facts, content } = context.parts;
  const kept = (await facts.listSboms(digest)).find(
    ({ format }) => input.format === undefined || format === input.format,
  );
  const bytes = kept && (await content.read(kept.digest, SBOM_BYTES_MAX));
  if (!kept || !bytes) {
    throw new ApiProblem(404, 'DG_SBOM_UNKNOWN', 'no SBOM of it was pushed: dockgate scan push IMAGE FILE');
  }
  return {
    digest,
    by: kept.by,
    format: kept.format,
    at: new Date(kept.atMs).toISOString(),
    document: Buffer.from(bytes).toString('utf8'),
  };
}
