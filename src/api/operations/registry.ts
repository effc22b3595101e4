import { SECOND_MS } from '../../base/index.ts';
import { collectGarbage, GARBAGE_AGE_MS, verifyFiles, verifyLinks } from '../../content/index.ts';
import { type Digest, parseDigest } from '../../oci/index.ts';
import { ApiProblem, type OperationContext, operation } from '../operation.ts';
import {
  collectedShape,
  collectShape,
  usageQuery,
  usageShape,
  verifiedShape,
  verifyShape,
} from '../registry-contract.ts';

/** A call works about so long, then says where to go on: whoever asked sees how far it is. */
const CALL_MS = 5 * SECOND_MS;

/** The content store: what can go, whether it is whole, who uses how much. */
export const registryOperations = [
  operation({
    id: 'registry.gc',
    method: 'post',
    path: '/registry/gc',
    summary: 'Removes content that no repository links, for about 5 s; go on with `next` as `after`',
    action: 'system',
    input: collectShape,
    output: collectedShape,
    status: 200,
    change: ({ isDryRun }) => ({ isDryRun }),
    async run({ isDryRun, after }, context) {
      const { parts } = context;
      const nowMs = parts.clock.nowMs();
      const pendingLinks = isDryRun ? 0 : await parts.linkWrites.sweepPending(nowMs);
      const beforeMs = nowMs - GARBAGE_AGE_MS;
      const collected = await collectGarbage(
        { beforeMs, isDryRun, ...begin(after), isOver: timer(context) },
        parts,
      );
      return { ...collected, pendingLinks };
    },
  }),
  operation({
    id: 'registry.verify',
    method: 'post',
    path: '/registry/verify',
    summary: 'Hashes stored files, then looks for what is linked, for about 5 s; go on with `next`',
    action: 'system',
    input: verifyShape,
    output: verifiedShape,
    status: 200,
    note: ({ step, after }) => (after === undefined ? step : `${step} after ${after}`),
    async run({ step, after }, context) {
      const verify = step === 'files' ? verifyFiles : verifyLinks;
      const found = await verify({ ...begin(after), isOver: timer(context) }, context.parts);
      const { count, bytes, flaws, next } = found;
      const more = next ? { step, after: next } : step === 'files' ? { step: 'links' as const } : undefined;
      return { count, bytes, flaws: flaws.map(copy), ...(more ? { next: more } : {}) };
    },
  }),
  operation({
    id: 'registry.usage',
    method: 'get',
    path: '/registry/usage',
    summary: 'Bytes by repository, the largest first',
    action: 'system',
    input: usageQuery,
    output: usageShape,
    status: 200,
    async run({ limit }, { parts }) {
      const { repositories, ...total } = await parts.inventory.usage(limit);
      const quotas = await parts.quotas.list();
      return { ...total, repositories: [...repositories], quotas: [...quotas] };
    },
  }),
];

function begin(text: string | undefined): { readonly after?: Digest } {
  if (text === undefined) return {};
  const after = parseDigest(text);
  if (!after) throw new ApiProblem(400, 'DG_INPUT_INVALID', 'after: is no digest');
  return { after };
}

function timer({ parts }: OperationContext): () => boolean {
  const endMs = parts.clock.monotonicMs() + CALL_MS;
  return () => parts.clock.monotonicMs() >= endMs;
}

/** The API's shapes are lists that may be changed. */
function copy({ holders, ...flaw }: Awaited<ReturnType<typeof verifyFiles>>['flaws'][number]) {
  return { ...flaw, holders: holders.map(({ tags, ...holder }) => ({ ...holder, tags: [...tags] })) };
}
