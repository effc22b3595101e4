import { hash } from 'node:crypto';
import { z } from 'zod';
import { MiB, newId } from '../../base/index.ts';
import { type Digest, parseDigest } from '../../oci/index.ts';
import { type Excuse, parseOpenVex, type Waiver } from '../../policy/index.ts';
import {
  deniedShape,
  digestParams,
  importedVexShape,
  newDeniedShape,
  newWaiverShape,
  vexShape,
  waiverShape,
} from '../contract.ts';
import { ApiProblem, type OperationContext, operation } from '../operation.ts';

/** As text in JSON, with its quotes escaped. */
const VEX_BODY_BYTES_MAX = 4 * MiB;
const REASON_LENGTH_MAX = 500;

const waiverParams = z.strictObject({ id: z.string().max(64) });

/** What is judged otherwise than policies say: waivers, and digests that are denied everywhere. */
export const exceptionOperations = [
  operation({
    id: 'waiver.list',
    method: 'get',
    path: '/waivers',
    summary: 'All waivers, ended ones included',
    action: 'policy.manage',
    input: z.strictObject({}),
    output: z.object({ waivers: z.array(waiverShape) }),
    status: 200,
    run: async (_input, { parts }) => ({ waivers: (await parts.facts.listWaivers()).map(printWaiver) }),
  }),
  operation({
    id: 'waiver.add',
    method: 'post',
    path: '/waivers',
    summary: 'Excuses one finding or one rule on one digest or pattern until a date',
    action: 'policy.manage',
    input: newWaiverShape,
    output: z.object({ id: z.string() }),
    status: 201,
    change: (input) => input,
    async run(input, { parts, identity }) {
      const waiver = toWaiver(input, newId(parts.random), identity.principal.name);
      requireFuture(waiver.endsAtMs, parts.clock.nowMs());
      await parts.facts.addWaiver(waiver);
      return { id: waiver.id };
    },
  }),
  operation({
    id: 'waiver.importVex',
    method: 'post',
    path: '/vex-documents',
    summary:
      'Excuses what an OpenVEX document states to be not affected or fixed, on the digests that it names',
    action: 'policy.manage',
    input: vexShape,
    output: importedVexShape,
    status: 201,
    bodyBytesMax: VEX_BODY_BYTES_MAX,
    change: ({ document, ...others }) => ({ ...others, document: `sha256:${hash('sha256', document)}` }),
    run: importVex,
  }),
  operation({
    id: 'waiver.approve',
    method: 'post',
    path: '/waivers/{id}/approval',
    summary: 'Approves a waiver that somebody else added, for policies that ask for a second person',
    action: 'policy.manage',
    input: waiverParams,
    output: z.object({ id: z.string(), approvedBy: z.string() }),
    status: 200,
    change: ({ id }) => ({ waiver: id }),
    async run({ id }, { parts, identity }) {
      const approver = identity.principal.name;
      const waiver = (await parts.facts.listWaivers()).find((one) => one.id === id);
      if (waiver?.author === approver) {
        throw new ApiProblem(403, 'DG_WAIVER_OWN', 'you added this waiver: somebody else must approve it');
      }
      if (!waiver || !(await parts.facts.approveWaiver(id, approver))) throw unknownWaiver(id);
      return { id, approvedBy: approver };
    },
  }),
  operation({
    id: 'waiver.remove',
    method: 'delete',
    path: '/waivers/{id}',
    summary: 'Ends a waiver now',
    action: 'policy.manage',
    input: waiverParams,
    output: z.object({ id: z.string() }),
    status: 200,
    change: ({ id }) => ({ waiver: id }),
    async run({ id }, { parts }) {
      if (!(await parts.facts.removeWaiver(id))) throw unknownWaiver(id);
      return { id };
    },
  }),
  operation({
    id: 'digest.list',
    method: 'get',
    path: '/denied-digests',
    summary: 'The digests that are denied everywhere',
    action: 'policy.manage',
    input: z.strictObject({}),
    output: z.object({ digests: z.array(deniedShape) }),
    status: 200,
    run: async (_input, { parts }) => ({
      digests: (await parts.facts.listDenied()).map(({ atMs, ...denied }) => ({
        ...denied,
        at: new Date(atMs).toISOString(),
      })),
    }),
  }),
  operation({
    id: 'digest.deny',
    method: 'put',
    path: '/denied-digests/{digest}',
    summary: 'Refuses a manifest, or whatever names a blob, everywhere and whatever policies and waivers say',
    action: 'system',
    input: newDeniedShape,
    output: z.object({ digest: z.string() }),
    status: 200,
    change: (input) => input,
    async run({ digest: text, reason }, { parts, identity }) {
      const digest = requireDigest(text);
      const author = identity.principal.name;
      await parts.facts.denyDigest({ digest, reason, author, atMs: parts.clock.nowMs() });
      return { digest };
    },
  }),
  operation({
    id: 'digest.undeny',
    method: 'delete',
    path: '/denied-digests/{digest}',
    summary: 'Denies a digest no longer; policies judge it again',
    action: 'system',
    input: digestParams,
    output: z.object({ digest: z.string() }),
    status: 200,
    change: ({ digest }) => ({ digest }),
    async run({ digest: text }, { parts }) {
      const digest = requireDigest(text);
      if (!(await parts.facts.undenyDigest(digest))) {
        throw new ApiProblem(404, 'DG_DIGEST_UNKNOWN', `${digest} is not denied`);
      }
      return { digest };
    },
  }),
];

async function importVex(
  { document, on, ticket, endsAt }: z.infer<typeof vexShape>,
  { parts, identity }: OperationContext,
): Promise<z.infer<typeof importedVexShape>> {
  const endsAtMs = Date.parse(endsAt);
  requireFuture(endsAtMs, parts.clock.nowMs());
  const read = parseOpenVex(document);
  if (!read.ok) throw new ApiProblem(400, 'DG_INPUT_INVALID', `document: ${read.problem}`);
  const before = await parts.facts.listWaivers();
  const isKnown = (excuse: Excuse) =>
    before.some(
      (waiver) =>
        waiver.finding === excuse.finding &&
        waiver.digest === excuse.digest &&
        waiver.package === excuse.package &&
        waiver.pattern === on &&
        waiver.endsAtMs >= endsAtMs,
    );
  const added = read.excuses.filter((excuse) => !isKnown(excuse));
  const ids: string[] = [];
  for (const { why, ...excuse } of added) {
    const id = newId(parts.random);
    await parts.facts.addWaiver({
      id,
      ...excuse,
      ...(on === undefined ? {} : { pattern: on }),
      ...(ticket === undefined ? {} : { ticket }),
      reason: `VEX ${read.id} by ${read.author}: ${why}`.slice(0, REASON_LENGTH_MAX),
      author: identity.principal.name,
      endsAtMs,
    });
    ids.push(id);
  }
  return { ids, known: read.excuses.length - added.length, unnamed: read.unnamed };
}

function requireFuture(endsAtMs: number, nowMs: number): void {
  if (endsAtMs <= nowMs) throw new ApiProblem(400, 'DG_INPUT_INVALID', 'endsAt: lies in the past');
}

function unknownWaiver(id: string): ApiProblem {
  return new ApiProblem(404, 'DG_WAIVER_UNKNOWN', `there is no waiver ${id}`);
}

/** The input was checked with the rest of it; this only gives the text its type. */
function requireDigest(text: string): Digest {
  const digest = parseDigest(text);
  if (!digest) throw new TypeError('a digest that was checked cannot be read');
  return digest;
}

function toWaiver(input: z.infer<typeof newWaiverShape>, id: string, author: string): Waiver {
  return {
    id,
    reason: input.reason,
    author,
    endsAtMs: Date.parse(input.endsAt),
    ...(input.finding === undefined ? {} : { finding: input.finding }),
    ...(input.rule === undefined ? {} : { rule: input.rule }),
    ...(input.ticket === undefined ? {} : { ticket: input.ticket }),
    ...(input.digest === undefined ? {} : { digest: requireDigest(input.digest) }),
    ...(input.on === undefined ? {} : { pattern: input.on }),
  };
}

function printWaiver({ endsAtMs, pattern, ...waiver }: Waiver): z.infer<typeof waiverShape> {
  return {
    ...waiver,
    endsAt: new Date(endsAtMs).toISOString(),
    ...(pattern === undefined ? {} : { on: pattern }),
  };
}
