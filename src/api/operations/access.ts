import { z } from 'zod';
import { MiB, newId } from '../../base/index.ts';
import { authorize, parseAction } from '../../roles/index.ts';
import { accessDocumentShape, type PresentAccess, toDocument } from '../access-document.ts';
import { planAccess } from '../access-plan.ts';
import { applyInput, applyShape, reviewQuery, reviewShape, whoCanQuery, whoCanShape } from '../contract.ts';
import { lacksToManage } from '../delegation.ts';
import { readHolders } from '../holders.ts';
import { ApiProblem, type OperationContext, operation } from '../operation.ts';
import { printGrant } from '../print-grant.ts';
import { review } from '../review.ts';
import { requireRepository } from './images.ts';

/** Some ten thousand grants. */
const DOCUMENT_BYTES_MAX = 16 * MiB;

/** Who can do what, who holds what, and all of it as one document. */
export const accessOperations = [
  operation({
    id: 'access.who-can',
    method: 'get',
    path: '/access/who-can',
    summary: 'Every principal that may do something on a repository, with the grant that allows it',
    action: 'users.manage',
    orElse: ({ repository }, context) => lacksToManage(requireRepository(repository), context),
    input: whoCanQuery,
    output: whoCanShape,
    status: 200,
    subject: ({ repository }) => ({ repository: requireRepository(repository) }),
    note: ({ action }) => `who may ${action}`,
    async run(input, context) {
      const repository = requireRepository(input.repository);
      const action = parseAction(input.action);
      if (!action) throw new ApiProblem(400, 'DG_ACTION_UNKNOWN', `there is no action ${input.action}`);
      const nowMs = context.parts.clock.nowMs();
      const principals = (await readHolders(context)).flatMap(({ principal, state, held }) => {
        if (state !== 'active') return [];
        const grants = held.map(({ grant }) => grant);
        const answer = authorize({ principal, grants, scopes: undefined, action, repository, nowMs });
        if (!answer.isAllowed || answer.because === 'local') return [];
        return [{ kind: principal.kind, name: principal.name, because: printGrant(answer.because) }];
      });
      return { principals };
    },
  }),
  operation({
    id: 'access.review',
    method: 'get',
    path: '/access/review',
    summary: 'Who holds what, since when, and when it was last of use',
    action: 'users.manage',
    input: reviewQuery,
    output: reviewShape,
    status: 200,
    async run({ days }, context) {
      const { records, clock } = context.parts;
      const [holders, uses] = await Promise.all([readHolders(context), records.lastUses()]);
      return { held: [...review(holders, uses, { days, nowMs: clock.nowMs() })] };
    },
  }),
  operation({
    id: 'access.export',
    method: 'get',
    path: '/access/document',
    summary: 'Users, groups, robots, roles and grants as one document, without secrets',
    action: 'users.manage',
    input: z.strictObject({}),
    output: accessDocumentShape,
    status: 200,
    run: async (_input, context) => toDocument(await readPresent(context)),
  }),
  operation({
    id: 'access.apply',
    method: 'post',
    path: '/access/apply',
    summary:
      'Makes users, groups, robots, roles and grants what a document says; or only says what would change',
    action: 'users.manage',
    input: applyInput,
    output: applyShape,
    status: 200,
    bodyBytesMax: DOCUMENT_BYTES_MAX,
    note: ({ isDryRun, isPruning }) => `${isDryRun ? 'plan' : 'apply'}${isPruning ? ', with removals' : ''}`,
    async run({ document, isDryRun, isPruning }, context) {
      const { parts, identity } = context;
      const plan = planAccess(document, await readPresent(context), {
        ...{ isPruning, by: identity.principal, nowMs: parts.clock.nowMs() },
        newId: () => newId(parts.random),
      });
      const changes = plan.map(({ step, what, before, after }) => ({ do: step.do, what, before, after }));
      if (isDryRun || plan.length === 0) return { changes, isApplied: false };
      // Each change has its record before any is made; they are made together or not at all.
      await Promise.all(changes.map((change) => context.recordChange(change)));
      await parts.accounts.applySteps(plan.map(({ step }) => step));
      return { changes, isApplied: true };
    },
  }),
];

/** What there is now, all of it. */
async function readPresent({ parts: { accounts } }: OperationContext): Promise<PresentAccess> {
  const [users, robots, groups, roles, grants] = await Promise.all([
    accounts.listAccounts('user'),
    accounts.listAccounts('robot'),
    accounts.listGroups(),
    accounts.listRoles(),
    accounts.listGrants(),
  ]);
  return { users, robots, groups, roles, grants };
}
