import { z } from 'zod';
import {
  type Digest,
  Fault,
  parseReference,
  parseRepository,
  printReference,
  type Repository,
} from '../../oci/index.ts';
import type { Attested, Finding, Reason, Verdict } from '../../policy/index.ts';
import {
  findingShape,
  imageListShape,
  imageQuery,
  imageShape,
  imagesQuery,
  pageQuery,
  type reasonShape,
  repositoriesShape,
  type verdictShape,
} from '../contract.ts';
import { ApiProblem, type OperationContext, operation, type Subject } from '../operation.ts';

/** Repositories and images: what is there, what is known of it, what the verdict is. */
export const imageOperations = [
  operation({
    id: 'repository.list',
    method: 'get',
    path: '/repositories',
    summary: 'The repositories that the caller may list',
    action: 'signed-in',
    input: pageQuery,
    output: repositoriesShape,
    status: 200,
    async run({ last, limit }, { parts, identity }) {
      const repositories: Repository[] = [];
      for (let after = last; repositories.length < limit; ) {
        const page = await parts.links.listRepositories({ limit: 1000, ...(after ? { last: after } : {}) });
        for (const name of page) {
          if ((await parts.directory.can(identity, 'list', name)).isAllowed) repositories.push(name);
        }
        after = page.at(-1);
        if (page.length < 1000) break;
      }
      const shown = repositories.slice(0, limit);
      const next = repositories.length >= limit ? shown.at(-1) : undefined;
      return { repositories: shown, ...(next ? { next } : {}) };
    },
  }),
  operation({
    id: 'image.list',
    method: 'get',
    path: '/images',
    summary: 'The manifests of a repository with their tags',
    action: 'list',
    input: imagesQuery,
    output: imageListShape,
    status: 200,
    subject: ({ repository }) => ({ repository: requireRepository(repository) }),
    async run({ repository, last, limit }, { parts }) {
      const page = { limit, ...(last ? { last } : {}) };
      const images = await parts.links.listManifests(requireRepository(repository), page);
      const next = images.length === limit ? images.at(-1)?.digest : undefined;
      return {
        images: images.map(({ digest, kind, mediaType, size, tags }) => ({
          digest,
          kind,
          mediaType,
          size,
          tags: [...tags],
        })),
        ...(next ? { next } : {}),
      };
    },
  }),
  operation({
    id: 'image.show',
    method: 'get',
    path: '/image',
    summary: 'What is known about an image, and its verdict in this repository',
    action: 'verdict.read',
    input: imageQuery,
    output: imageShape,
    status: 200,
    subject: imageSubject,
    run: showImage,
  }),
  operation({
    id: 'image.scan',
    method: 'post',
    path: '/image/scan',
    summary: 'Queues a new scan; the last verdict stands until it ends',
    action: 'scan',
    input: imageQuery,
    output: z.object({ digest: z.string() }),
    status: 202,
    subject: imageSubject,
    async run(input, context) {
      const { repository, digest } = await requireImage(input, context);
      await context.parts.scans.request(repository, digest, 'push');
      return { digest };
    },
  }),
];

async function showImage(
  input: z.infer<typeof imageQuery>,
  context: OperationContext,
): Promise<z.infer<typeof imageShape>> {
  const { repository, digest } = await requireImage(input, context);
  const { parts } = context;
  const [facts, found, stored, vouched] = await Promise.all([
    parts.facts.findFacts(digest, repository, { feeds: true }),
    parts.verdicts.peek(repository, digest),
    parts.links.findManifest(repository, digest),
    // What else is known of it is told also while its registry is away.
    parts.vouchers.findVouched(repository, digest).catch((error: unknown) => {
      if (error instanceof Fault) return undefined;
      throw error;
    }),
  ]);
  return {
    repository,
    reference: input.reference,
    digest,
    kind: stored?.kind ?? facts?.kind ?? 'image',
    ...(facts ? { firstSeenAt: new Date(facts.firstSeenAtMs).toISOString() } : {}),
    ...(facts?.createdAtMs === undefined ? {} : { createdAt: new Date(facts.createdAtMs).toISOString() }),
    ...(facts?.baseCreatedAtMs === undefined
      ? {}
      : { baseCreatedAt: new Date(facts.baseCreatedAtMs).toISOString() }),
    ...(facts?.supersededAtMs === undefined
      ? {}
      : { supersededAt: new Date(facts.supersededAtMs).toISOString() }),
    scans: (facts?.scans ?? []).map((scan) => ({
      by: scan.by,
      at: new Date(scan.atMs).toISOString(),
      version: scan.version,
      status: scan.status,
      ...(scan.reason ? { reason: scan.reason } : {}),
      ...(scan.author ? { author: scan.author } : {}),
    })),
    findings: (facts?.findings ?? []).map(printFinding),
    ...(vouched
      ? { signatures: vouched.attested.map(printSignature), rejectedSignatures: [...vouched.rejected] }
      : {}),
    verdict: printVerdict(found),
  };
}

function printSignature({ atMs, untilMs, ...attested }: Attested) {
  return {
    ...attested,
    ...(atMs === undefined ? {} : { at: new Date(atMs).toISOString() }),
    ...(untilMs === undefined || untilMs >= 8.64e15 ? {} : { until: new Date(untilMs).toISOString() }),
  };
}

export function printVerdict(verdict: Verdict): z.infer<typeof verdictShape> {
  const isEndless = verdict.validUntilMs >= 8.64e15;
  return {
    outcome: verdict.outcome,
    reasons: verdict.reasons.map(printReason),
    warnings: verdict.warnings.map(printReason),
    ...(isEndless ? {} : { validUntil: new Date(verdict.validUntilMs).toISOString() }),
  };
}

function printReason(reason: Reason): z.infer<typeof reasonShape> {
  return {
    rule: reason.rule,
    policy: reason.policy,
    text: reason.text,
    findings: reason.findings.map(printFinding),
  };
}

function printFinding(finding: Finding): z.infer<typeof findingShape> {
  const { exploitedSinceMs, dueAtMs } = finding;
  return {
    ...findingShape.parse(finding),
    ...(exploitedSinceMs === undefined ? {} : { exploitedSince: new Date(exploitedSinceMs).toISOString() }),
    ...(dueAtMs === undefined ? {} : { dueAt: new Date(dueAtMs).toISOString() }),
  };
}

/**
 * @throws {ApiProblem} malformed, or not there: 404 for who may ask at all.
 */
export async function requireImage(
  input: { readonly repository: string; readonly reference: string },
  { parts }: OperationContext,
): Promise<{ readonly repository: Repository; readonly digest: Digest }> {
  const repository = requireRepository(input.repository);
  const reference = parseReference(input.reference);
  if (!reference) throw new ApiProblem(400, 'DG_INPUT_INVALID', 'reference: neither a tag nor a digest');
  const digest = await parts.registries.resolve(repository, reference);
  if (!digest) {
    const message = `${repository} has no ${reference.kind} ${printReference(reference)}`;
    throw new ApiProblem(404, 'DG_IMAGE_UNKNOWN', message);
  }
  return { repository, digest };
}

export function requireRepository(text: string): Repository {
  const repository = parseRepository(text);
  if (!repository)
    throw new ApiProblem(
      400,
      'DG_INPUT_INVALID',
      'repository: must be parts of a-z 0-9 with single . _ - or __ between, joined by /, such as team/app',
    );
  return repository;
}

export function imageSubject(input: z.infer<typeof imageQuery>): Subject {
  return { repository: requireRepository(input.repository), reference: input.reference };
}
